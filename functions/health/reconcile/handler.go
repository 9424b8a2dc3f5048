// Package reconcile compares what the store says of pods with what the cluster
// says, and moves the pods whose status is behind. It does so for one pod when
// the cluster tells of a change. Every tick is the net for what was missed: it
// looks at all that has changed since the last one and all that waits for
// something, and at everything now and then. It only reads the cluster: what is
// to be removed there, the spawner is told of.
package reconcile

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/templates"
)

// Store holds the pods.
type Store interface {
	Move(ctx context.Context, move pods.Move) (pods.Pod, error)
	MoveAll(ctx context.Context, moves []pods.Move) (int, error)
	FinishStop(ctx context.Context, ref pods.Ref, by pods.Actor) (pods.Pod, error)
	UpdateContainer(ctx context.Context, ref pods.Ref, status pods.ContainerStatus) error
	StopDue(ctx context.Context, ref pods.Ref) (pods.Pod, error)
	Resend(ctx context.Context, eventType string, ref pods.Ref) error

	PodByK8sName(ctx context.Context, k8sName string) (pods.Pod, error)
	Overview(ctx context.Context) ([]pods.Pod, error)
	Unsettled(ctx context.Context, k8sNames []string) ([]pods.Pod, error)
	LogsDue(ctx context.Context) (bool, error)

	StorageDue(ctx context.Context) (postgres.StorageDue, error)
	AskForUpkeep(ctx context.Context, due postgres.StorageDue) error
	ScheduleDueSnapshots(ctx context.Context, limit int) (int, error)

	Tombstones(ctx context.Context) ([]pods.Tombstone, error)
	TombstonesByK8sName(ctx context.Context, k8sName string) ([]pods.Tombstone, error)
	RemoveTombstone(ctx context.Context, uid string) error
	ResendDeleted(ctx context.Context, tombstone pods.Tombstone) error

	TryLead(ctx context.Context, name string, fn func(context.Context) error) (led bool, err error)
	PruneOutbox(ctx context.Context) error
}

// Cluster observes pods in Kubernetes, as kube.Client does.
type Cluster interface {
	Observe(ctx context.Context, name string) (*kube.Observed, error)
	List(ctx context.Context) (kube.Listing, error)
	Changes(ctx context.Context, version string) (kube.Changes, error)
}

// Deriver merges a pod with its templates.
type Deriver interface {
	Derive(ctx context.Context, pod pods.Pod) (templates.Derived, error)
}

// Relay sends what the outbox still holds.
type Relay interface {
	Flush(ctx context.Context) error
}

// Options are what a Handler may go without.
type Options struct {
	Relay Relay // nil leaves the outbox alone
	// Publish sends events that are not in the outbox: what they ask for is
	// asked for again if they get lost. It must not block. Nil means that logs
	// are collected at a change of status only, and leftovers stay.
	Publish    func([]cloudevents.Event)
	Registerer prometheus.Registerer // nil means measuring nothing
	Now        func() time.Time      // nil means time.Now
	Logger     *slog.Logger          // nil means slog.Default()
}

// Handler serves ticks and changes in the cluster.
type Handler struct {
	store   Store
	cluster Cluster
	deriver Deriver
	relay   Relay
	publish func([]cloudevents.Event)
	now     func() time.Time
	logger  *slog.Logger
	metrics *metrics

	resent *pace // what was asked for again

	ticking sync.Mutex // held by the one tick at a time, which alone uses the rest
	view    *view      // of the cluster, nil before everything has been compared
	pruned  time.Time
}

// New returns a Handler.
func New(store Store, cluster Cluster, deriver Deriver, options Options) *Handler {
	if options.Publish == nil {
		options.Publish = func([]cloudevents.Event) {}
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	return &Handler{
		store: store, cluster: traced{cluster}, deriver: deriver,
		relay: options.Relay, publish: options.Publish, now: options.Now, logger: options.Logger,
		metrics: newMetrics(options.Registerer),
		resent:  newPace(),
	}
}

// ServeHTTP handles the one event in r; the status is its acknowledgement.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	events.Handle(w, r, "health", h.logger, h.handle)
}

func (h *Handler) handle(ctx context.Context, event cloudevents.Event) error {
	if event.Type() == events.TypeTick {
		return h.tick(ctx)
	}
	if name := kube.PodNameOf(event); name != "" {
		return h.changed(ctx, name, event.Type() != events.TypeClusterUpdated)
	}
	return nil // not ours
}
