// Package collect keeps what pods print: on every event that says a pod may
// have new output, what is new is read from Kubernetes and stored.
package collect

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/logs"
	"github.com/pods-service/pods/shared/pods"
)

const (
	// readFor bounds one read of what is there already.
	readFor = 20 * time.Second
	// followFor bounds how long the output of a pod that is being stopped is
	// waited for: longer than its container has to end.
	followFor = 45 * time.Second
	// maxAttempts is how often a read that met another is begun again.
	maxAttempts = 3
)

// Store holds the collected output.
type Store interface {
	LogCursor(ctx context.Context, ref pods.Ref) (pods.LogCursor, error)
	AppendLogs(ctx context.Context, ref pods.Ref, from pods.LogCursor, chunk pods.LogChunk, to pods.LogCursor) error
}

// Handler serves the events after which a pod may have new output.
type Handler struct {
	store  Store
	reader *logs.Reader
	logger *slog.Logger
}

// New returns a Handler that reads by reader into store.
func New(store Store, reader *logs.Reader, logger *slog.Logger) *Handler {
	return &Handler{store: store, reader: reader, logger: logger}
}

// ServeHTTP handles the one event in r; the status is its acknowledgement.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	event, err := events.Read(w, r)
	if err == nil {
		err = h.handle(r.Context(), event)
	}
	events.Acknowledge(w, r, h.logger, event, err)
}

func (h *Handler) handle(ctx context.Context, event cloudevents.Event) error {
	data, err := events.PodDataOf(event)
	if err != nil {
		return err
	}
	switch event.Type() {
	case events.TypePodStopRequested:
		// The container is told to end about now: its last lines are still to
		// come.
		return h.collect(ctx, data, true)
	case events.TypePodLogsDue:
		return h.collect(ctx, data, false)
	case events.TypePodStatusChanged:
		switch data.Status {
		case pods.StatusAvailable, pods.StatusComplete, pods.StatusError:
			return h.collect(ctx, data, false)
		}
	}
	return nil
}

// collect stores what the run has printed since the last time. Of two that
// collect at once, one stores and the other begins again from there.
func (h *Handler) collect(ctx context.Context, data events.PodData, follow bool) error {
	ref := data.Ref()
	request := logs.Request{Ref: ref, Name: data.K8sName, Follow: follow, For: readFor}
	if follow {
		request.For = followFor
	}
	for attempt := 1; ; attempt++ {
		var err error
		if request.From, err = h.store.LogCursor(ctx, ref); err != nil {
			return err
		}
		_, err = h.reader.Read(ctx, request, func(ctx context.Context, from pods.LogCursor, chunk pods.LogChunk, to pods.LogCursor) error {
			return h.store.AppendLogs(ctx, ref, from, chunk, to)
		})
		// A conflict means that another has stored meanwhile, or that the run
		// is over; the last attempt leaves the rest to the next event.
		if pods.KindOf(err) != pods.KindConflict || attempt == maxAttempts {
			return err
		}
	}
}
