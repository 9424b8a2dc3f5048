// Package commands runs programs in the containers of pods: lists of commands
// with time limits and bounded output, and uploads through a shell. Whoever can
// run one program is a Runner.
package commands

import (
	"context"
	"errors"
	"io"

	"github.com/pods-service/pods/shared/pods"
)

// Target is the container of one run of a pod.
type Target struct {
	K8sName string
	Ref     pods.Ref
}

// Streams are what a program reads and writes; nil ones are left out.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// ErrNoProgram says that a container has no program of the name, or none that
// may be run.
var ErrNoProgram = errors.New("no such program in the container")

// Runner runs one program in a container and returns its exit code.
//
// Errors: KindNotFound when the container does not run; ErrNoProgram; KindInvalid
// for another program that cannot be started; those of ctx, when it ends before
// the program does. None holds an argument.
type Runner interface {
	Exec(ctx context.Context, target Target, argv []string, streams Streams) (exitCode int, err error)
}
