package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	Outcome        string // "ok", "exit 1", "timeout", "failed", "given up"
	Started        time.Time
	Took           time.Duration
}

// OK reports whether the command has succeeded.
func (r Result) OK() bool { return r.Outcome == "ok" }

// Run runs list in target and returns the results of the commands that were
// started, and why the others were not. A command whose time is over is killed,
// if the image has a shell with grep, and is the last.
//
// Errors: those of the runner for the first command, and of ctx: nobody waits
// for the results any more, and the last of them was given up.
func Run(ctx context.Context, runner Runner, target Target, list List) (results []Result, reason string, err error) {
	total, cancel := context.WithTimeout(ctx, list.Total)
	defer cancel()
	left := maxOutput
	container := newContainer(runner, target)
	for i, argv := range list.Commands {
		if i > 0 && total.Err() != nil {
			return results, stoppedByTotal, ctx.Err()
		}
		result, err := runOne(total, container, argv, list, min(maxStream, left))
		if ctx.Err() != nil {
			result.Outcome = "given up"
			return append(results, result), "", ctx.Err()
		}
		if err != nil && i == 0 && !isOwn(err) {
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

// isOwn reports whether a failure is the command's own, and not that of its
// container or the way there.
func isOwn(err error) bool {
	return errors.Is(err, ErrNoProgram) || errors.Is(err, context.DeadlineExceeded) || pods.KindOf(err) == pods.KindInvalid
}

// runOne runs one command of list, whose time total bounds. It returns a result
// also when the command fails.
func runOne(total context.Context, container *container, argv []string, list List, outputLimit int) (Result, error) {
	ctx, cancel := context.WithTimeout(total, list.Each)
	defer cancel()
	stdout, stderr := &output{limit: outputLimit}, &output{limit: outputLimit}
	started := time.Now()
	code, err := container.exec(ctx, argv, Streams{Stdout: stdout, Stderr: stderr})
	result := Result{Stdout: stdout.text(), Stderr: stderr.text(), Started: started, Took: time.Since(started)}
	switch {
	case err == nil && code == 0:
		result.Outcome = "ok"
	case err == nil:
		result.Outcome = fmt.Sprintf("exit %d", code)
	case errors.Is(err, context.DeadlineExceeded):
		result.Outcome = "timeout"
		result.Stderr = addLine(result.Stderr, timeout(total, list, err))
	default:
		result.Outcome = "failed"
		result.Stderr = addLine(result.Stderr, problem(argv[0], err))
	}
	if err == nil {
		result.ExitCode = &code
	}
	return result, err
}

func timeout(total context.Context, list List, err error) string {
	limit := list.Each
	if total.Err() != nil {
		limit = list.Total
	}
	text := fmt.Sprintf("Timeout after %.0f seconds.", limit.Seconds())
	if errors.Is(err, errMayRun) {
		text += " Its process could not be ended and may still run."
	}
	return text
}

func addLine(text, line string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + line
}

// problem says why a command could not be run.
func problem(program string, err error) string {
	switch {
	case errors.Is(err, ErrNoProgram):
		return fmt.Sprintf("There is no program %q in the container that can be run. No shell is added: for one, run sh -c.", program)
	case pods.KindOf(err) == pods.KindNotFound:
		return "The container has ended."
	case pods.KindOf(err) == pods.KindInvalid:
		return "The command cannot be started in the container."
	}
	return "The connection to the container broke."
}
