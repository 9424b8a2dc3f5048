package binaries

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// interval is how often a build in progress says how far it is.
const interval = 10 * time.Second

// reporter prints how far a build is.
type reporter struct {
	out  io.Writer
	name string // of what is built
}

func (r reporter) say(format string, args ...any) {
	fmt.Fprintf(r.out, "%-8s %s\n", r.name, fmt.Sprintf(format, args...))
}

// buildFlags are those of every program. What only a debugger reads is left out
// when compiling already, not just when linking.
var buildFlags = []string{"-trimpath", "-gcflags=all=-dwarf=false"}

// compilation is a call of go build.
type compilation struct {
	source      string   // the module's folder
	flags       []string // that say where to find other modules
	linkerFlags string
	target      string   // the file for one program or, ending in a slash, the folder for several
	programs    []string // patterns of packages
}

// run builds the programs and prints a line every ten seconds.
func (c compilation) run(ctx context.Context, report reporter) error {
	started := time.Now()
	elapsed := func() time.Duration { return time.Since(started).Round(time.Second) }
	report.say("looking at what to compile")
	wanted, err := c.packages(ctx)
	if err != nil {
		return err
	}
	arguments := slices.Concat([]string{"build", "-v"}, buildFlags, c.flags, []string{"-ldflags", c.linkerFlags, "-o", c.target}, c.programs)
	command := goCommand(ctx, c.source, arguments...)
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
			report.say("%s, %s", compiled.describe(wanted), elapsed())
		}
	}
	if err := command.Wait(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(arguments, " "), err, strings.Join(problems, "\n"))
	}
	report.say("built, %s", elapsed())
	return nil
}

// packages are what programs are made of.
type packages struct {
	programs []string // the packages of the programs themselves
	total    int      // how many there are in all
}

// packages returns what there is to compile. It downloads the modules that are
// not there.
func (c compilation) packages(ctx context.Context) (packages, error) {
	arguments := slices.Concat([]string{"list"}, c.flags, []string{"-deps", "-f", "{{.DepOnly}} {{.ImportPath}}"}, c.programs)
	command := goCommand(ctx, c.source, arguments...)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return packages{}, fmt.Errorf("list packages: %w", err)
	}
	var found packages
	for line := range strings.Lines(string(output)) {
		found.total++
		if program, ok := strings.CutPrefix(strings.TrimSpace(line), "false "); ok {
			found.programs = append(found.programs, program)
		}
	}
	return found, nil
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

// describe says how far a build is. What is in the cache is never named, so the
// total is the most there can be.
func (c *compiled) describe(wanted packages) string {
	last, _ := c.last.Load().(string)
	switch {
	case last == "":
		return "reading what is compiled already"
	case slices.Contains(wanted.programs, last): // depends on all others, so there is little left to compile
		return fmt.Sprintf("linking (%d packages were compiled)", c.count.Load())
	}
	return fmt.Sprintf("%d of at most %d packages compiled, at %s", c.count.Load(), wanted.total, last)
}

func isPackage(line string) bool {
	return line != "" && !strings.ContainsAny(line, " \t:#")
}
