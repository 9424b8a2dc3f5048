package binaries

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// interval is how often a build in progress says how far it is.
const interval = 10 * time.Second

// compile runs go build and prints a line every ten seconds.
func (p Program) compile(ctx context.Context, source string, arguments []string, progress io.Writer) error {
	started := time.Now()
	elapsed := func() time.Duration { return time.Since(started).Round(time.Second) }
	fmt.Fprintf(progress, "%-8s looking at what to compile\n", p.Name)
	total, err := packages(ctx, source)
	if err != nil {
		return err
	}
	command := goCommand(ctx, source, arguments...)
	stderr, err := command.StderrPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("run go: %w", err)
	}

	var compiled compiled
	finished := make(chan struct{})
	var problems []string
	go func() {
		defer close(finished)
		problems = compiled.read(stderr)
	}()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for running := true; running; {
		select {
		case <-finished:
			running = false
		case <-ticker.C:
			fmt.Fprintf(progress, "%-8s %s, %s\n", p.Name, compiled.describe(total), elapsed())
		}
	}
	if err := command.Wait(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(arguments, " "), err, strings.Join(problems, "\n"))
	}
	fmt.Fprintf(progress, "%-8s built, %s\n", p.Name, elapsed())
	return nil
}

// packages returns how many packages the program in folder is made of. It
// downloads them when they are not there.
func packages(ctx context.Context, folder string) (int, error) {
	command := goCommand(ctx, folder, "list", "-deps", "-f", "{{.ImportPath}}", ".")
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return 0, fmt.Errorf("list packages: %w", err)
	}
	return strings.Count(string(output), "\n"), nil
}

// compiled follows what go build -v prints: the name of each package that it
// does not find in its cache, when it begins with it.
type compiled struct {
	count atomic.Int64
	last  atomic.Value // string, the package it is at
}

// read follows the output to its end and returns the last of the lines that
// name no package: what went wrong.
func (c *compiled) read(output io.Reader) []string {
	const kept = 40
	var others []string
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		line := lines.Text()
		if isPackage(line) {
			c.last.Store(line)
			c.count.Add(1)
			continue
		}
		others = append(others, line)
		others = others[max(0, len(others)-kept):]
	}
	_, _ = io.Copy(io.Discard, output) // a line beyond the scanner's limit must not block go
	return others
}

// describe says how far the build of a program of total packages is. What is in
// the cache is never named, so the total is the most there can be.
func (c *compiled) describe(total int) string {
	last, _ := c.last.Load().(string)
	switch {
	case last == "":
		return "reading what is compiled already"
	case strings.HasPrefix(last, ownModules): // depends on all others, so it is the last
		return fmt.Sprintf("linking (%d packages were compiled)", c.count.Load())
	}
	return fmt.Sprintf("%d of at most %d packages compiled, at %s", c.count.Load(), total, last)
}

// ownModules is how the names of the programs' own packages begin.
const ownModules = "github.com/pods-service/pods/cluster/"

func isPackage(line string) bool {
	return line != "" && !strings.ContainsAny(line, " \t:#")
}
