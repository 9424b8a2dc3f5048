// Package spawn turns events about pods into Kubernetes objects, made or
// removed. Events may come twice, late and in any order: what is done is
// decided by the pod's row, which every step checks again.
package spawn

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/storage"
	"github.com/pods-service/pods/shared/templates"
)

// Store holds the pods.
type Store interface {
	ClaimPod(ctx context.Context, ref pods.Ref) (pods.Pod, pods.Credentials, error)
	Move(ctx context.Context, move pods.Move) (pods.Pod, error)
	FinishStop(ctx context.Context, ref pods.Ref, by pods.Actor) (pods.Pod, error)
	UpdateContainer(ctx context.Context, ref pods.Ref, status pods.ContainerStatus) error
	PodByK8sName(ctx context.Context, k8sName string) (pods.Pod, error)
	RemoveTombstone(ctx context.Context, uid string) error
	storage.Objects
}

// Cluster makes and removes Kubernetes objects, as kube.Client does.
type Cluster interface {
	Ensure(ctx context.Context, objects manifests.Objects) error
	RemoveRuns(ctx context.Context, name string, ref pods.Ref, now time.Time) (left bool, err error)
	RemoveLife(ctx context.Context, name, uid string, now time.Time) (left bool, err error)
	RemoveOthers(ctx context.Context, name string, ref pods.Ref, now time.Time) error
	WaitGone(ctx context.Context, pod *kube.Observed, limit time.Duration) bool
}

// Deriver merges a pod with its templates.
type Deriver interface {
	Derive(ctx context.Context, pod pods.Pod) (templates.Derived, error)
}

// Options are the operator's choices.
type Options struct {
	Manifests manifests.Options
	Now       func() time.Time // nil means time.Now
	Logger    *slog.Logger     // nil means slog.Default()
}

// Handler serves the events pod.requested, pod.stop_requested and pod.deleted.
type Handler struct {
	store   Store
	cluster Cluster
	deriver Deriver
	options manifests.Options
	mounts  storage.Mounts
	now     func() time.Time
	logger  *slog.Logger
}

// New returns a Handler.
func New(store Store, cluster Cluster, deriver Deriver, options Options) *Handler {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	return &Handler{
		store: store, cluster: traced{cluster}, deriver: deriver,
		options: options.Manifests, mounts: storage.Mounts{Source: options.Manifests.Storage, Objects: store},
		now: options.Now, logger: options.Logger,
	}
}

// ServeHTTP handles the one event in r; the status is its acknowledgement.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	events.Handle(w, r, "spawner", h.logger, h.handle)
}

func (h *Handler) handle(ctx context.Context, event cloudevents.Event) error {
	var do func(context.Context, events.PodData) error
	switch event.Type() {
	case events.TypePodRequested:
		do = func(ctx context.Context, data events.PodData) error { return h.start(ctx, data, event.Time()) }
	case events.TypePodStopRequested:
		do = h.stop
	case events.TypePodDeleted:
		do = h.remove
	default:
		return nil // not ours
	}
	data, err := events.PodDataOf(event)
	if err != nil {
		return err
	}
	return do(ctx, data)
}
