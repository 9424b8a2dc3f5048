// Package logs reads the output of containers in the form in which Kubernetes
// gives it: lines that start with the time they were written. It picks out
// what is newer than what was read before, makes it storable, and holds no more
// of it in memory than is kept.
package logs

import (
	"context"
	"io"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// Options say which part of a log is wanted.
type Options struct {
	// Since leaves out lines older than the second it is in; the zero value
	// means the whole log.
	Since time.Time
	// Follow keeps the log open until the container has ended.
	Follow bool
}

// Stream is the open log of one run of a pod. It ends in io.EOF when there is
// nothing more to read.
type Stream struct {
	io.ReadCloser
	// Ended says that the container had ended when the log was opened, so the
	// log holds all it ever wrote.
	Ended bool
}

// Opener opens the log of the Kubernetes pod of that name, if it belongs to
// the run that ref names. A container that has not started yet has an empty
// log.
//
// Errors: KindNotFound when there is no such pod, or it belongs to another run.
type Opener interface {
	OpenLog(ctx context.Context, name string, ref pods.Ref, options Options) (*Stream, error)
}
