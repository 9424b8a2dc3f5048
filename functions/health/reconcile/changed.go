package reconcile

import (
	"context"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/pods"
)

// changed handles that the Kubernetes pod of that name has changed; came says
// that it may have come or gone. Events are told late and left out when a newer
// one follows, so only what there is now counts.
func (h *Handler) changed(ctx context.Context, name string, came bool) error {
	// The row first: an absence that is seen after it is one since it.
	pod, err := h.store.PodByK8sName(ctx, name)
	isKnown := pods.KindOf(err) != pods.KindNotFound
	if err != nil && isKnown {
		return err
	}
	h.metrics.rowsRead.Inc()
	seen, err := h.cluster.Observe(ctx, name)
	if err != nil {
		return err
	}
	if isKnown {
		if err := h.follow(ctx, pod, seen); err != nil {
			return err
		}
	}
	if !came {
		return nil
	}
	return h.bury(ctx, name, seen)
}

// follow brings one pod's status up to what is seen.
func (h *Handler) follow(ctx context.Context, pod pods.Pod, seen *kube.Observed) error {
	isUnmade := pod.Status == pods.StatusRequested || pod.Status == pods.StatusSpawnerSetup
	if isUnmade && pod.StatusRequested == pods.DesiredOn && seen == nil {
		// The older pod that the spawner may have waited for is gone.
		return conflictIsFine(h.store.Resend(ctx, events.TypePodRequested, pod.Ref()))
	}
	return h.apply(ctx, pod, next(pod, seen, h.now()))
}

// bury forgets the deleted pods of that name that are gone from the cluster.
// Their service and claims went before: the spawner removes the pod last.
func (h *Handler) bury(ctx context.Context, name string, seen *kube.Observed) error {
	tombstones, err := h.store.TombstonesByK8sName(ctx, name)
	if err != nil {
		return err
	}
	for _, tombstone := range tombstones {
		if seen != nil && seen.IsLife(tombstone.UID) {
			continue
		}
		if err := h.store.RemoveTombstone(ctx, tombstone.UID); err != nil {
			return err
		}
	}
	return nil
}

func conflictIsFine(err error) error {
	if pods.KindOf(err) == pods.KindConflict {
		return nil
	}
	return err
}
