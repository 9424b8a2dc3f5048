// Package upkeep serves the events about volumes and snapshots: it makes the
// copies that schedules ask for, measures what volumes hold, finishes what was
// left undone and deletes for good what was removed long ago. Events may come
// twice and at once, and say no more than where to look: what there is to be done,
// the store knows.
package upkeep

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

// Objects are the volumes and snapshots, as objects.Objects has them.
type Objects interface {
	CopyDue(ctx context.Context, due events.SnapshotDue) error
	Measure(ctx context.Context) error
	CleanUp(ctx context.Context) error
}

// maxCopies is how many scheduled copies one process makes at a time: each keeps a
// disk busy.
const maxCopies = 4

// Handler serves the events.
type Handler struct {
	objects Objects
	logger  *slog.Logger
	copies  chan struct{}
	// Each is held by the one who is at it: another that comes meanwhile has
	// nothing to add.
	measuring, cleaning sync.Mutex
}

// New returns a handler of the events about objects.
func New(objects Objects, logger *slog.Logger) *Handler {
	return &Handler{objects: objects, logger: logger, copies: make(chan struct{}, maxCopies)}
}

// ServeHTTP handles the one event in r; the status is its acknowledgement.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	events.Handle(w, r, "api", h.logger, h.handle)
}

func (h *Handler) handle(ctx context.Context, event cloudevents.Event) error {
	switch event.Type() {
	case events.TypeVolumeMeasureDue:
		return alone(&h.measuring, func() error { return h.objects.Measure(ctx) })
	case events.TypeVolumeCleanUpDue:
		return alone(&h.cleaning, func() error { return h.objects.CleanUp(ctx) })
	case events.TypeSnapshotDue:
		return h.copy(ctx, event)
	}
	return nil // not ours
}

// alone calls fn unless somebody else is at it.
func alone(lock *sync.Mutex, fn func() error) error {
	if !lock.TryLock() {
		return nil
	}
	defer lock.Unlock()
	return fn()
}

func (h *Handler) copy(ctx context.Context, event cloudevents.Event) error {
	var due events.SnapshotDue
	if err := event.DataAs(&due); err != nil || due.TenantID == "" || due.SnapshotID == "" {
		return pods.Invalid("event %s does not say which schedule is due", event.ID())
	}
	select {
	case h.copies <- struct{}{}:
		defer func() { <-h.copies }()
	case <-ctx.Done():
		return pods.Timeout("too many copies are being made", ctx.Err())
	}
	return h.objects.CopyDue(ctx, due)
}

// WithinCluster serves requests that were sent to a Service's own name within the
// cluster, as a Broker does, and no others: events have no token. A request from
// outside, which Knative gives that name too, has the name that its client used in
// a header.
func WithinCluster(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(r.Host, ":")
		isInside := strings.HasSuffix(name, ".svc.cluster.local") || strings.HasSuffix(name, ".svc")
		if _, isMapped := r.Header["K-Original-Host"]; isMapped || !isInside {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
