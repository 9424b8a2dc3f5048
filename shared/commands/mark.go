package commands

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
)

// Kubernetes can start a program in a container, and not end it. So a program is
// started with a mark in its environment, which its children inherit, and what
// has the mark can be killed. Words of users reach the scripts as arguments, never
// as text.
const (
	startMarked = `export PODS_EXEC="$0"; exec "$@"`
	// killMarked succeeds if there was anything to kill. It looks twice, for
	// children that are born meanwhile.
	killMarked = `for pass in 1 2; do for process in /proc/[0-9]*; do
		if grep -qs "PODS_EXEC=$0" "$process/environ" && kill -KILL "${process#/proc/}"; then ended=1; fi
	done; done; [ -n "$ended" ]`
)

// killTimeout bounds the killing of one program.
const killTimeout = 10 * time.Second

// errMayRun says that a program was given up and not seen to end.
var errMayRun = errors.New("the program may still run")

// container is a target whose programs end when their time is over, if its image
// has what it takes. It is for one goroutine.
type container struct {
	runner Runner
	target Target
	// starters are ways to start a program with a mark, the best first: env leaves
	// every variable as it is, shells drop those with dots in their names.
	starters []func(mark string) []string
}

func newContainer(runner Runner, target Target) *container {
	return &container{runner: runner, target: target, starters: []func(string) []string{
		func(mark string) []string { return []string{"env", "PODS_EXEC=" + mark} },
		func(mark string) []string { return []string{"sh", "-c", startMarked, mark} },
	}}
}

// exec runs a program until it ends, or ctx does, and kills it then.
//
// Errors: those of the Runner, and errMayRun beside that of ctx.
func (c *container) exec(ctx context.Context, argv []string, streams Streams) (exitCode int, err error) {
	mark := rand.Text()
	exitCode, err = c.start(ctx, mark, argv, streams)
	if err == nil || ctx.Err() == nil || c.kill(ctx, mark) {
		return exitCode, err
	}
	return exitCode, errors.Join(err, errMayRun)
}

func (c *container) start(ctx context.Context, mark string, argv []string, streams Streams) (int, error) {
	// To env, a name with an equals sign would be another variable.
	for len(c.starters) > 0 && !strings.Contains(argv[0], "=") {
		code, err := c.runner.Exec(ctx, c.target, append(c.starters[0](mark), argv...), streams)
		if !errors.Is(err, ErrNoProgram) {
			return code, err
		}
		c.starters = slices.Delete(c.starters, 0, 1) // the image has no such thing
	}
	return c.runner.Exec(ctx, c.target, argv, streams)
}

// kill ends what has the mark and reports whether there was anything. It works
// although ctx has ended.
func (c *container) kill(ctx context.Context, mark string) bool {
	if len(c.starters) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTimeout)
	defer cancel()
	code, err := c.runner.Exec(ctx, c.target, []string{"sh", "-c", killMarked, mark}, Streams{Stdout: io.Discard})
	return err == nil && code == 0
}
