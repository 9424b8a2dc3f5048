package commands_test

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/commands"
)

// lingering runs programs on this machine. As in Kubernetes, a program goes on
// when nobody waits for it any more.
type lingering struct {
	missing []string // programs that the image lacks

	mu      sync.Mutex
	running []chan struct{} // each is closed when a program has ended
}

func (l *lingering) Exec(ctx context.Context, _ commands.Target, argv []string, streams commands.Streams) (int, error) {
	if slices.Contains(l.missing, argv[0]) {
		return 0, commands.ErrNoProgram
	}
	program := exec.Command(argv[0], argv[1:]...)
	program.Stdout, program.Stderr = streams.Stdout, streams.Stderr
	if err := program.Start(); errors.Is(err, exec.ErrNotFound) {
		return 0, commands.ErrNoProgram
	} else if err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	l.mu.Lock()
	l.running = append(l.running, ended)
	l.mu.Unlock()
	go func() {
		_ = program.Wait() // the state says how
		close(ended)
	}()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-ended:
		return program.ProcessState.ExitCode(), nil
	}
}

// wait waits until every program has ended.
func (l *lingering) wait() {
	l.mu.Lock()
	running := slices.Clone(l.running)
	l.mu.Unlock()
	for _, ended := range running {
		<-ended
	}
}

// TestRunEndsPrograms has a program with children take too long. Programs inherit
// the streams, so wait ends when all of them have ended.
func TestRunEndsPrograms(t *testing.T) {
	t.Parallel()

	const family = "echo begun; sleep 1000 & sleep 1000 & wait"
	tests := map[string]struct {
		missing []string
		shell   string
		stderr  string
	}{
		"Env":   {nil, family, "Timeout after 1 seconds."},
		"Shell": {[]string{"env"}, family, "Timeout after 1 seconds."},
		"None":  {[]string{"env", "sh"}, "echo begun; sleep 2", "Timeout after 1 seconds. Its process could not be ended and may still run."},
		// An image whose one useful program is env.
		"EnvAlone": {[]string{"sh"}, "echo begun; sleep 2", "Timeout after 1 seconds. Its process could not be ended and may still run."},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			runner := &lingering{missing: tc.missing}
			list := commands.List{Total: time.Minute, Each: time.Second, Commands: [][]string{{"bash", "-c", tc.shell}, {"true"}}}
			results, reason, err := commands.Run(t.Context(), runner, commands.Target{}, list)
			if err != nil || len(results) != 1 || !strings.Contains(reason, "command timeout") {
				t.Fatalf("%+v, %q, %v", results, reason, err)
			}
			if got := results[0]; got.Stdout != "begun\n" || got.Stderr != tc.stderr || got.Outcome != "timeout" {
				t.Errorf("got %+v, want %q", got, tc.stderr)
			}
			runner.wait() // forever, if a program that should have ended has not
		})
	}
}

// TestRunGivenUp has the caller leave while a program runs.
func TestRunGivenUp(t *testing.T) {
	t.Parallel()

	ctx, cancel := context.WithCancel(t.Context())
	runner := &lingering{}
	list := commands.List{Total: time.Minute, Each: time.Minute, Commands: [][]string{{"bash", "-c", "echo begun; sleep 1000"}}}
	begun := watch{Runner: runner, first: cancel}
	if _, _, err := commands.Run(ctx, begun, commands.Target{}, list); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	runner.wait()
}

// watch calls first when a program prints something.
type watch struct {
	commands.Runner
	first func()
}

func (w watch) Exec(ctx context.Context, target commands.Target, argv []string, streams commands.Streams) (int, error) {
	streams.Stdout = printed(w.first)
	return w.Runner.Exec(ctx, target, argv, streams)
}

type printed func()

func (p printed) Write(b []byte) (int, error) {
	p()
	return len(b), nil
}

// TestRunKeepsArguments has words that a shell would take apart, by each way to
// start a program.
func TestRunKeepsArguments(t *testing.T) {
	t.Parallel()

	for name, missing := range map[string][]string{"Env": nil, "Shell": {"env"}, "None": {"env", "sh"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			list := commands.List{Total: time.Minute, Each: time.Minute, Commands: [][]string{
				{"printf", "%s|", "a b", "$HOME;`id`", "", "-n", "X=1"}, {"bash", "-c", "exit 7"}, {"X=1"},
			}}
			results, _, err := commands.Run(t.Context(), &lingering{missing: missing}, commands.Target{}, list)
			if err != nil || results[0].Stdout != "a b|$HOME;`id`||-n|X=1|" || *results[1].ExitCode != 7 || results[2].Outcome != "failed" {
				t.Errorf("got %+v, %v", results, err)
			}
		})
	}
}
