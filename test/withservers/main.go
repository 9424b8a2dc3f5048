// Command withservers runs a command with a Postgres and a Redis of its own:
//
//	withservers [--] go test ./...
//
// Both are empty, live in a temporary folder and are gone when the command has
// ended. The command finds them by TEST_DATABASE_URL and TEST_REDIS_URL; its
// exit code becomes that of withservers. Interrupts are passed on to it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/pods-service/pods/shared/servers"
)

const (
	startTimeout = 2 * time.Minute
	stopTimeout  = 30 * time.Second

	// timeZone is far from UTC and off by more than whole hours, so that tests
	// find code that trusts the database's own zone.
	timeZone = "Asia/Kathmandu"

	exitUsage   = 2
	exitServers = 125 // as env and timeout use it: the command was not run
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: withservers [--] command [arguments]")
		os.Exit(exitUsage)
	}
	code, err := run(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "withservers: "+err.Error())
	}
	os.Exit(code)
}

// run returns the exit code of the command.
func run(args []string) (code int, err error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	running, remove, err := start(signals)
	if err != nil {
		return exitServers, err
	}
	defer func() { err = errors.Join(err, remove()) }()

	command := exec.Command(args[0], args[1:]...) //nolint:gosec // running it is what this program is for
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Env = append(os.Environ(), "TEST_DATABASE_URL="+running.DatabaseURL, "TEST_REDIS_URL="+running.RedisURL)
	// Should this process be killed, the command is asked to end as well. The
	// kernel does so when the thread that has started it ends.
	runtime.LockOSThread()
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := command.Start(); err != nil {
		return exitServers, fmt.Errorf("start the command: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				_ = command.Process.Signal(s) // it may have ended
			case <-ended:
				return
			}
		}
	}()
	err = command.Wait()
	close(ended)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exitCode(exit), nil
	}
	return 0, err
}

// exitCode is the command's own, or 128 and the signal that ended it, as
// shells have it.
func exitCode(exit *exec.ExitError) int {
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}

// start brings the servers up in a new folder. A signal ends the attempt.
func start(signals <-chan os.Signal) (_ *servers.Servers, remove func() error, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	starting := make(chan struct{})
	defer close(starting)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-starting:
		}
	}()
	sweep(ctx)
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return nil, nil, fmt.Errorf("make a folder: %w", err)
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	running, err := servers.Start(ctx, servers.Config{Dir: dir, Scratch: true, TimeZone: timeZone, Logger: logger})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return running, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		return errors.Join(running.Stop(ctx), servers.Remove(ctx, dir))
	}, nil
}

const (
	// prefix starts the names of the temporary folders.
	prefix = "pods-test-servers-"
	// sweepAfter spares the folder of a run that has just begun.
	sweepAfter = time.Minute
)

// sweep removes the folders of runs that were killed.
func sweep(ctx context.Context) {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*")) // the pattern is well formed
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < sweepAfter {
			continue
		}
		err = servers.Remove(ctx, dir)
		if err != nil && !errors.Is(err, servers.ErrInUse) {
			fmt.Fprintf(os.Stderr, "withservers: what an earlier run has left stays in %s: %v\n", dir, err)
		}
	}
}
