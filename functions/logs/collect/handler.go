// Package collect keeps the output of pods: it fetches what is new from
// Kubernetes when a pod's status changes or the store says that it is due, and
// follows a pod that is being stopped to its last line. Events may come twice and at once: what is stored moves on
// from one place in the log to the next, and whoever comes second starts over
// from there.
package collect

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/logs"
	"github.com/pods-service/pods/shared/pods"
)

// Store keeps the output of runs.
type Store interface {
	// LogCursor returns up to where a run's output is stored.
	LogCursor(ctx context.Context, ref pods.Ref) (pods.LogCursor, error)
	// AppendLogs adds a chunk to a run whose output is stored up to from. It
	// returns KindConflict when it is not, or not any more, and KindNotFound
	// when the pod is gone.
	AppendLogs(ctx context.Context, ref pods.Ref, from pods.LogCursor, chunk pods.LogChunk, to pods.LogCursor) error
	// ClaimDueLogs returns runs whose output is due, up to limit; they are due
	// again after lease, or when LogsCollected says so.
	ClaimDueLogs(ctx context.Context, limit int, lease time.Duration) ([]pods.LogRun, error)
	// LogsCollected says that a run's output is due again after wait.
	LogsCollected(ctx context.Context, ref pods.Ref, wait time.Duration) error
}

// Reader reads what is new in a log, as logs.Reader does.
type Reader interface {
	Read(ctx context.Context, request logs.Request, save logs.Save) (ended bool, err error)
}

const (
	// collectFor bounds the reading of what has gathered since the last time.
	// The kubelet sends each line by itself, some ten thousand a second.
	collectFor = 45 * time.Second
	// claimFor is for how long one event has runs collected whose output is due.
	// With what is under way by then it ends before the delivery does.
	claimFor = 10 * time.Second
	// claimLease is when a run is due again that somebody has claimed and not
	// collected.
	claimLease = 2 * time.Minute
	// followFor bounds the wait for a container's last line: its grace period
	// of up to 30 s and some. A delivery may take 60 s.
	followFor = 45 * time.Second
	// saveEvery is how long lines of a log that is followed wait to be stored.
	saveEvery = 5 * time.Second
	// reopenAfter keeps a log that ends at once from being opened in a loop.
	reopenAfter = 500 * time.Millisecond
	// storeTimeout bounds one call to the store.
	storeTimeout = 10 * time.Second

	// maxCollecting and maxFollowing are how many logs one process reads at a
	// time; others wait for their turn.
	maxCollecting = 16
	maxFollowing  = 128
)

// Handler serves the events pod.logs_due, pod.stop_requested and
// pod.status_changed.
type Handler struct {
	store      Store
	reader     Reader
	logger     *slog.Logger
	collecting chan struct{}
	following  chan struct{}

	mu       sync.Mutex
	followed map[pods.Ref]bool
}

// New returns a handler that stores in store what reader reads.
func New(store Store, reader Reader, logger *slog.Logger) *Handler {
	return &Handler{
		store: store, reader: reader, logger: logger,
		collecting: make(chan struct{}, maxCollecting), following: make(chan struct{}, maxFollowing),
		followed: map[pods.Ref]bool{},
	}
}

// ServeHTTP handles one event.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	events.Handle(w, r, "logs", h.logger, h.handle)
}

func (h *Handler) handle(ctx context.Context, event cloudevents.Event) error {
	switch event.Type() {
	case events.TypePodLogsDue:
		return h.collectDue(ctx)
	case events.TypePodStopRequested, events.TypePodStatusChanged:
	default:
		return nil
	}
	data, err := events.PodDataOf(event)
	if err != nil {
		return err
	}
	run := pods.LogRun{Ref: data.Ref(), K8sName: data.K8sName}
	switch {
	case data.Instance == 0: // never started
		return nil
	case data.K8sName == "":
		return pods.Invalid("event %s does not say which log", event.ID())
	case event.Type() == events.TypePodStopRequested:
		return h.follow(ctx, run)
	case event.Type() == events.TypePodStatusChanged && !hasOutput(data.Status):
		return nil
	}
	_, err = h.collect(ctx, run)
	return err
}

// hasOutput reports whether the container has run when a pod enters status.
func hasOutput(status pods.Status) bool {
	return status == pods.StatusAvailable || status == pods.StatusComplete || status == pods.StatusError
}

// enter waits for a place in room.
func enter(ctx context.Context, room chan struct{}) (leave func(), err error) {
	select {
	case room <- struct{}{}:
		return func() { <-room }, nil
	case <-ctx.Done():
		return nil, pods.Timeout("too many logs are being read", ctx.Err())
	}
}
