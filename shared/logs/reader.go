package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// Reader reads what is new in logs. It is safe for concurrent use.
type Reader struct {
	opener Opener
	memory chan struct{} // one token per chunk held beyond the first of a backlog
}

// maxChunks is how many chunks all reads of one process may hold on top of one
// each: 64 MiB.
const maxChunks = 256

// NewReader returns a reader of the logs that opener opens.
func NewReader(opener Opener) *Reader {
	return &Reader{opener: opener, memory: make(chan struct{}, maxChunks)}
}

// Request says what to read.
type Request struct {
	Ref    pods.Ref
	Name   string         // of the Kubernetes pod
	From   pods.LogCursor // what is not newer has been read before
	Follow bool           // wait for more until the container ends
	// For is how long reading may take. What was read by then is saved.
	For time.Duration
	// SaveEvery is how long lines wait to be saved while more is read; 0 means
	// to the end.
	SaveEvery time.Duration
}

// Save stores one chunk of a log, which lies between two places.
type Save func(ctx context.Context, from pods.LogCursor, chunk pods.LogChunk, to pods.LogCursor) error

// Read reads what a log has beyond request.From and saves it, oldest first:
// the newest pods.MaxLogBytes of it. It reports ended when the container has
// ended and all of its output is saved. A line that is still being written is
// left to the next read.
//
// Errors: the opener's, KindUnavailable when the log broke off (what came
// before is saved), and that of the first save that failed.
func (r *Reader) Read(ctx context.Context, request Request, save Save) (ended bool, err error) {
	reading, cancel := context.WithTimeout(ctx, request.For)
	defer cancel()
	stream, err := r.opener.OpenLog(reading, request.Name, request.Ref, Options{Since: request.From.Last, Follow: request.Follow})
	if err != nil {
		return false, err
	}
	defer func() { _ = stream.Close() }() // it was only read
	held := r.hold(newBacklog(request.From, pods.MaxLogBytes), func(b *backlog, count int) error {
		return saveOldest(ctx, b, count, save)
	})
	defer held.release()
	stopSaving := held.saveEvery(request.SaveEvery, cancel)
	readErr := held.fill(stream, request.From)
	stopSaving()
	if held.failed != nil {
		return false, held.failed
	}
	isEnd := errors.Is(readErr, io.EOF)
	held.backlog.finish(isEnd && (stream.Ended || request.Follow))
	if err := saveOldest(ctx, held.backlog, len(held.backlog.chunks), save); err != nil {
		return false, err
	}
	switch {
	case isEnd:
		return stream.Ended, nil
	case reading.Err() != nil && ctx.Err() == nil:
		return false, nil // the time is up: the rest comes with the next read
	}
	return false, brokenOff(request.Name, readErr)
}

// saveOldest saves the first count chunks of b and forgets them.
func saveOldest(ctx context.Context, b *backlog, count int, save Save) error {
	for range count {
		c := b.chunks[0]
		text := pods.LogChunk{First: c.first, Last: c.last, Text: string(c.text)}
		if err := save(ctx, b.from, text, c.to); err != nil {
			return err
		}
		b.from = c.to
		b.dropOldest()
	}
	return nil
}

// ReadNew returns the output of a pod beyond since, at most the newest limit
// bytes, with a line that is still being written. It is empty when there is no
// such pod any more.
//
// Errors: those of the Opener, and KindUnavailable when the log broke off or ctx
// ended while it was read; what was read by then is returned too.
func (r *Reader) ReadNew(ctx context.Context, ref pods.Ref, name string, since pods.LogCursor, limit int) (string, error) {
	stream, err := r.opener.OpenLog(ctx, name, ref, Options{Since: since.Last})
	if pods.KindOf(err) == pods.KindNotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = stream.Close() }() // it was only read
	held := r.hold(newBacklog(since, limit), func(b *backlog, count int) error {
		for range count {
			b.dropOldest() // too many read at once: be content with less
		}
		return nil
	})
	defer held.release()
	readErr := held.fill(stream, since)
	var text strings.Builder
	for _, c := range held.backlog.chunks {
		text.Write(c.text)
	}
	newest := pods.NewestText(text.String(), limit)
	if !errors.Is(readErr, io.EOF) {
		return newest, brokenOff(name, readErr)
	}
	return newest, nil
}

func brokenOff(name string, err error) error {
	return pods.Unavailable("The log cannot be read right now.", fmt.Errorf("read log of %s: %w", name, err))
}
