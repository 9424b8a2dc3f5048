package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// Limits of the output of one list, in bytes: of each stream of one command, and
// of all together.
const (
	maxStream = 1 << 20
	maxOutput = 8 << 20
)

// Why a list was cut short.
const (
	stoppedByTotal   = "Execution stopped due to total timeout."
	stoppedByTimeout = "Execution stopped due to command timeout on latest command."
	stoppedByFailure = "Execution stopped due to command failure on latest command."
)

// List is a list of commands that run one after the other.
type List struct {
	Commands [][]string
	Total    time.Duration // for all of them
	Each     time.Duration
	// StopOnFailure says that a command that fails is the last.
	StopOnFailure bool
}

// Result is what came of one command.
type Result struct {
	Stdout, Stderr string
	ExitCode       *int   // nil when the command has not ended by itself
	Outcome        string // "ok", "exit 1", "timeout", "failed"
	Started        time.Time
	Took           time.Duration
}

// OK reports whether the command has succeeded.
func (r Result) OK() bool { return r.Outcome == "ok" }

// Run runs list in target and returns the results of the commands that were
// started, and why the others were not. A command whose time is over is given
// up, and is the last.
//
// Errors: those of the runner for the first command, and of ctx: nobody waits
// for the results any more.
func Run(ctx context.Context, runner Runner, target Target, list List) (results []Result, reason string, err error) {
	total, cancel := context.WithTimeout(ctx, list.Total)
	defer cancel()
	left := maxOutput
	for i, argv := range list.Commands {
		if i > 0 && total.Err() != nil {
			return results, stoppedByTotal, ctx.Err()
		}
		result, err := runOne(total, runner, target, argv, list.Each, min(maxStream, left))
		if ctx.Err() != nil {
			return results, "", ctx.Err()
		}
		if err != nil && i == 0 && !errors.Is(err, ErrNoProgram) && !errors.Is(err, context.DeadlineExceeded) {
			return nil, "", err
		}
		left = max(0, left-len(result.Stdout)-len(result.Stderr))
		results = append(results, result)
		switch {
		case errors.Is(err, context.DeadlineExceeded) && total.Err() != nil:
			return results, stoppedByTotal, nil
		case errors.Is(err, context.DeadlineExceeded):
			return results, stoppedByTimeout, nil
		case !result.OK() && list.StopOnFailure && i < len(list.Commands)-1:
			return results, stoppedByFailure, nil
		}
	}
	return results, "", nil
}

// runOne runs one command. It returns a result also when it fails.
func runOne(ctx context.Context, runner Runner, target Target, argv []string, limit time.Duration, outputLimit int) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stdout, stderr := &output{limit: outputLimit}, &output{limit: outputLimit}
	started := time.Now()
	code, err := runner.Exec(ctx, target, argv, Streams{Stdout: stdout, Stderr: stderr})
	result := Result{Stdout: stdout.text(), Stderr: stderr.text(), Started: started, Took: time.Since(started)}
	switch {
	case err == nil && code == 0:
		result.Outcome = "ok"
	case err == nil:
		result.Outcome = fmt.Sprintf("exit %d", code)
	case errors.Is(err, context.DeadlineExceeded):
		result.Outcome = "timeout"
		result.Stderr += fmt.Sprintf("Timeout after %.0f seconds.", result.Took.Seconds())
	default:
		result.Outcome = "failed"
		result.Stderr += problem(argv[0], err)
	}
	if err == nil {
		result.ExitCode = &code
	}
	return result, err
}

// problem says why a command could not be run.
func problem(program string, err error) string {
	switch {
	case errors.Is(err, ErrNoProgram):
		return fmt.Sprintf("There is no program %q in the container that can be run. No shell is added: for one, run sh -c.", program)
	case pods.KindOf(err) == pods.KindNotFound:
		return "The container has ended."
	}
	return "The connection to the container broke."
}
