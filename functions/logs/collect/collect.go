package collect

import (
	"context"
	"fmt"
	"time"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/logs"
	"github.com/pods-service/pods/shared/pods"
)

// maxConflicts is how often a read is begun again because somebody else stored
// the same lines first. After that they are left to whoever that is.
const maxConflicts = 4

// collect stores what a log holds beyond what is stored.
func (h *Handler) collect(ctx context.Context, data events.PodData) error {
	leave, err := enter(ctx, h.collecting)
	if err != nil {
		return err
	}
	defer leave()
	_, err = h.read(ctx, data, logs.Request{For: collectFor})
	return err
}

// follow stores what a container writes until it ends or the time is up. One
// follower of a run is enough: a second event is done when it finds one.
func (h *Handler) follow(ctx context.Context, data events.PodData) error {
	if !h.claim(data.Ref()) {
		return nil
	}
	defer h.unclaim(data.Ref())
	leave, err := enter(ctx, h.following)
	if err != nil {
		return err
	}
	defer leave()
	start := time.Now()
	for left := followFor; left > 0; left = followFor - time.Since(start) {
		ended, err := h.read(ctx, data, logs.Request{Follow: true, For: left, SaveEvery: saveEvery})
		if ended || err != nil {
			return err
		}
		pause(ctx, min(reopenAfter, followFor-time.Since(start))) // it ended, or the line to it did: look again
	}
	return nil
}

// read makes one pass over a log, from where the stored output ends.
func (h *Handler) read(ctx context.Context, data events.PodData, request logs.Request) (ended bool, err error) {
	ref := data.Ref()
	request.Ref, request.Name = ref, data.K8sName
	attempts := maxConflicts
	if request.Follow {
		attempts = 1 // the follower comes back by itself, with the time it has left
	}
	for range attempts {
		if request.From, err = h.cursor(ctx, ref); err != nil {
			return false, err
		}
		ended, err = h.reader.Read(ctx, request, func(ctx context.Context, from pods.LogCursor, chunk pods.LogChunk, to pods.LogCursor) error {
			ctx, cancel := context.WithTimeout(ctx, storeTimeout)
			defer cancel()
			return h.store.AppendLogs(ctx, ref, from, chunk, to)
		})
		switch {
		case err == nil:
			return ended, nil
		case pods.KindOf(err) != pods.KindConflict:
			return false, fmt.Errorf("read log of pod %s, instance %d: %w", ref.PodID, ref.Instance, err)
		}
	}
	return false, nil
}

func (h *Handler) cursor(ctx context.Context, ref pods.Ref) (pods.LogCursor, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return h.store.LogCursor(ctx, ref)
}

func (h *Handler) claim(ref pods.Ref) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.followed[ref] {
		return false
	}
	h.followed[ref] = true
	return true
}

func (h *Handler) unclaim(ref pods.Ref) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.followed, ref)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
