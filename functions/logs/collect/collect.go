package collect

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/pods-service/pods/shared/logs"
	"github.com/pods-service/pods/shared/pods"
)

// maxConflicts is how often a read is begun again because somebody else stored
// the same lines first. After that they are left to whoever that is.
const maxConflicts = 4

// collectDue collects the output of all runs of which it is due, as long as
// there is time. What fails or is left is due again soon.
func (h *Handler) collectDue(ctx context.Context) error {
	for start := time.Now(); time.Since(start) < claimFor; {
		due, err := h.claimDue(ctx)
		if err != nil || len(due) == 0 {
			return err
		}
		var collecting sync.WaitGroup
		for _, run := range due {
			collecting.Go(func() {
				if err := h.collectRun(ctx, run); err != nil {
					h.logger.WarnContext(ctx, "output not collected",
						"tenant_id", run.TenantID, "pod_id", run.PodID, "instance", run.Instance, "error", err)
				}
			})
		}
		collecting.Wait()
	}
	return nil
}

func (h *Handler) claimDue(ctx context.Context) ([]pods.LogRun, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return h.store.ClaimDueLogs(ctx, maxCollecting, claimLease)
}

// collectRun collects the output of one run and says when to do so again.
func (h *Handler) collectRun(ctx context.Context, run pods.LogRun) error {
	size, err := h.collect(ctx, run)
	if err != nil && pods.KindOf(err) != pods.KindNotFound { // health finds out that a pod is gone
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return h.store.LogsCollected(ctx, run.Ref, pods.NextLogWait(run.Wait, size))
}

// collect stores what a log holds beyond what is stored and returns its size in
// bytes.
func (h *Handler) collect(ctx context.Context, run pods.LogRun) (size int, err error) {
	leave, err := enter(ctx, h.collecting)
	if err != nil {
		return 0, err
	}
	defer leave()
	read, err := h.read(ctx, run, logs.Request{For: collectFor})
	return read.size, err
}

// follow stores what a container writes until it ends or the time is up. One
// follower of a run is enough: a second event is done when it finds one.
func (h *Handler) follow(ctx context.Context, run pods.LogRun) error {
	if !h.claim(run.Ref) {
		return nil
	}
	defer h.unclaim(run.Ref)
	leave, err := enter(ctx, h.following)
	if err != nil {
		return err
	}
	defer leave()
	start := time.Now()
	for left := followFor; left > 0; left = followFor - time.Since(start) {
		read, err := h.read(ctx, run, logs.Request{Follow: true, For: left, SaveEvery: saveEvery})
		if read.ended || err != nil {
			return err
		}
		pause(ctx, min(reopenAfter, followFor-time.Since(start))) // it ended, or the line to it did: look again
	}
	return nil
}

// pass is what came of one pass over a log.
type pass struct {
	size  int // bytes stored
	ended bool
}

// read makes one pass over a log, from where the stored output ends.
func (h *Handler) read(ctx context.Context, run pods.LogRun, request logs.Request) (made pass, err error) {
	request.Ref, request.Name = run.Ref, run.K8sName
	attempts := maxConflicts
	if request.Follow {
		attempts = 1 // the follower comes back by itself, with the time it has left
	}
	for range attempts {
		if request.From, err = h.cursor(ctx, run.Ref); err != nil {
			return made, err
		}
		made.ended, err = h.reader.Read(ctx, request, func(ctx context.Context, from pods.LogCursor, chunk pods.LogChunk, to pods.LogCursor) error {
			ctx, cancel := context.WithTimeout(ctx, storeTimeout)
			defer cancel()
			made.size += len(chunk.Text)
			return h.store.AppendLogs(ctx, run.Ref, from, chunk, to)
		})
		switch {
		case err == nil:
			return made, nil
		case pods.KindOf(err) != pods.KindConflict:
			return made, fmt.Errorf("read log of pod %s, instance %d: %w", run.PodID, run.Instance, err)
		}
	}
	return made, nil
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
