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

	var done atomic.Int64
	finished := make(chan struct{})
	var problems []string
	go func() {
		defer close(finished)
		problems = countPackages(stderr, &done)
	}()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for running := true; running; {
		select {
		case <-finished:
			running = false
		case <-ticker.C:
			fmt.Fprintf(progress, "%-8s %d of at most %d packages compiled, %s\n", p.Name, done.Load(), total, elapsed())
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

// countPackages counts the packages that go build -v names, one a line, and
// returns the last of the lines that are no package: what went wrong.
func countPackages(output io.Reader, done *atomic.Int64) []string {
	const kept = 40
	var others []string
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		line := lines.Text()
		if isPackage(line) {
			done.Add(1)
			continue
		}
		others = append(others, line)
		others = others[max(0, len(others)-kept):]
	}
	_, _ = io.Copy(io.Discard, output) // a line beyond the scanner's limit must not block go
	return others
}

func isPackage(line string) bool {
	return line != "" && !strings.ContainsAny(line, " \t:#")
}
