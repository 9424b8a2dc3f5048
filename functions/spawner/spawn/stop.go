package spawn

import (
	"context"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/faults"
	"github.com/pods-service/pods/shared/pods"
)

// stop removes the objects of a pod that is wanted OFF or RESTART. Health
// notices when they are gone; when there were none, the stop ends here.
func (h *Handler) stop(ctx context.Context, data events.PodData) error {
	_, err := h.store.Move(ctx, pods.Move{Ref: data.Ref(), By: pods.ActorSpawner, To: pods.StatusDeleting})
	if pods.KindOf(err) == pods.KindConflict {
		return h.stopAgain(ctx, data)
	}
	if err != nil {
		return err
	}
	return h.finish(ctx, data)
}

// stopAgain handles the request to stop a pod that cannot be moved to DELETING:
// it is there already, was stopped before, is wanted ON again, or the request
// is out of date.
func (h *Handler) stopAgain(ctx context.Context, data events.PodData) error {
	pod, err := h.store.PodByK8sName(ctx, data.K8sName)
	kind := pods.KindOf(err)
	if err != nil && kind != pods.KindNotFound {
		return err
	}
	switch {
	case kind == pods.KindNotFound || pod.Ref() != data.Ref():
		// The run is over: nothing of it may stay, and no newer one is touched.
		_, err := h.cluster.RemoveRuns(ctx, data.K8sName, data.Ref(), h.now())
		return err
	case isOver(pod, data.Ref()):
		return h.finish(ctx, data)
	}
	return nil // wanted ON again
}

// finish removes what there is of a run that is DELETING or STOPPED.
func (h *Handler) finish(ctx context.Context, data events.PodData) error {
	faults.Point("spawner.deleting")
	left, err := h.cluster.RemoveRuns(ctx, data.K8sName, data.Ref(), h.now())
	if err != nil {
		return err
	}
	faults.Point("spawner.deleted")
	if left {
		return nil // health sees it go
	}
	_, err = h.store.FinishStop(ctx, data.Ref(), pods.ActorSpawner)
	return err
}

// remove removes everything of a deleted pod, its claims included, and then
// what is remembered of it. A newer pod of the same name has another uid.
func (h *Handler) remove(ctx context.Context, data events.PodData) error {
	faults.Point("spawner.deleting")
	left, err := h.cluster.RemoveLife(ctx, data.K8sName, data.UID, h.now())
	if err != nil {
		return err
	}
	faults.Point("spawner.deleted")
	if left {
		return nil // health sees it go
	}
	return h.store.RemoveTombstone(ctx, data.UID)
}
