package spawn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/faults"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
)

// start makes the objects of a pod that is REQUESTED and moves it to CREATING,
// or to ERROR when that will never work. When it may work later it fails, and
// the next delivery resumes. The run was asked for at the time requested.
func (h *Handler) start(ctx context.Context, data events.PodData, requested time.Time) error {
	pod, creds, err := h.store.ClaimPod(ctx, data.Ref())
	if pods.KindOf(err) == pods.KindConflict {
		return h.settle(ctx, data, false)
	}
	if err != nil {
		return err
	}
	faults.Point("spawner.claimed")
	if err := h.create(ctx, pod, creds, requested); err != nil {
		return h.failed(ctx, data, err)
	}
	faults.Point("spawner.created")
	_, err = h.store.Move(ctx, pods.Move{
		Ref: pod.Ref(), By: pods.ActorSpawner, To: pods.StatusCreating,
		Container: &pods.ContainerStatus{Phase: "Pending"},
	})
	if pods.KindOf(err) == pods.KindConflict {
		return h.settle(ctx, data, true)
	}
	if err != nil {
		return err
	}
	faults.Point("spawner.moved")
	return nil
}

func (h *Handler) create(ctx context.Context, pod pods.Pod, creds pods.Credentials, requested time.Time) error {
	derived, err := h.deriver.Derive(ctx, pod)
	if err != nil {
		return fmt.Errorf("derive pod %s: %w", pod.ID, err)
	}
	// What the api has allowed may have been taken back since.
	if err := h.mounts.Check(ctx, derived.Pod, pod.StartedBy); err != nil {
		return fmt.Errorf("check the mounts of pod %s: %w", pod.ID, err)
	}
	objects, err := manifests.Build(derived.Pod, creds, derived.Profile, h.options)
	if err != nil {
		return fmt.Errorf("build objects of pod %s: %w", pod.ID, err)
	}
	annotate(ctx, objects.Pod, requested)
	return h.ensure(ctx, pod, objects)
}

// waitForRoom is how long a delivery waits for an older object to go, as when a
// pod is deleted and created again at once. It saves the user the delay of
// another delivery; longer waits are left to that.
const waitForRoom = 2 * time.Second

// ensure makes the objects, in place of those of an earlier run or life that
// still hold their name.
func (h *Handler) ensure(ctx context.Context, pod pods.Pod, objects manifests.Objects) error {
	err := h.cluster.Ensure(ctx, objects)
	occupied, isOccupied := errors.AsType[*kube.OccupiedError](err)
	if !isOccupied {
		return err
	}
	// Whatever holds the name is older only as long as this run is the newest.
	if _, _, err := h.store.ClaimPod(ctx, pod.Ref()); err != nil {
		return err
	}
	if err := h.cluster.RemoveOthers(ctx, pod.K8sName, pod.Ref(), h.now()); err != nil {
		return err
	}
	if occupied.Pod != nil && !h.cluster.WaitGone(ctx, occupied.Pod, waitForRoom) {
		return err
	}
	return h.cluster.Ensure(ctx, objects)
}

// lasting are the kinds of failure that trying again does not mend. A quota
// counts: others would have to stop their pods first.
var lasting = []pods.Kind{
	pods.KindInvalid, pods.KindNotFound, pods.KindForbidden, pods.KindTooLarge, pods.KindExhausted,
}

// failed handles that the objects of a claimed pod were not made, or not all.
func (h *Handler) failed(ctx context.Context, data events.PodData, failure error) error {
	kind := pods.KindOf(failure)
	if kind == pods.KindConflict { // a newer state won meanwhile
		return h.settle(ctx, data, true)
	}
	container := pods.ContainerStatus{Message: messageOf(failure)}
	if !slices.Contains(lasting, kind) {
		// Tell the user what it waits for. When even that fails, the database
		// is down, and the failure says enough.
		_ = h.store.UpdateContainer(ctx, data.Ref(), container)
		return failure
	}
	if _, err := h.cluster.RemoveRuns(ctx, data.K8sName, data.Ref(), h.now()); err != nil {
		return err
	}
	_, err := h.store.Move(ctx, pods.Move{
		Ref: data.Ref(), By: pods.ActorSpawner, To: pods.StatusError, Container: &container,
	})
	if err != nil {
		return err // a conflict: nothing was left to remove
	}
	h.logger.LogAttrs(ctx, slog.LevelWarn, "pod cannot be made",
		slog.String("tenant_id", data.TenantID), slog.String("pod_id", data.PodID), slog.Any("error", failure))
	return nil
}

// messageOf returns what the owner of the pod is told of a failure.
func messageOf(failure error) string {
	known, ok := errors.AsType[*pods.Error](failure)
	if !ok {
		return "The pod could not be made because of an error inside the service."
	}
	shown := *known
	shown.Err = nil // causes are for the log
	return shown.Error()
}

// settle follows a start that found its run to be over: it removes the objects
// of the run if they are not to stay. Made says that this very delivery made
// them. A pod that is running as the run wants is left alone: another delivery
// of the same event got there first.
func (h *Handler) settle(ctx context.Context, data events.PodData, made bool) error {
	pod, err := h.store.PodByK8sName(ctx, data.K8sName)
	kind := pods.KindOf(err)
	if err != nil && kind != pods.KindNotFound {
		return err
	}
	isDeleted := kind == pods.KindNotFound || pod.UID != data.UID
	switch {
	case isDeleted && made: // the event pod.deleted may have come before them
		_, err = h.cluster.RemoveLife(ctx, data.K8sName, data.UID, h.now())
	case isDeleted || isOver(pod, data.Ref()):
		_, err = h.cluster.RemoveRuns(ctx, data.K8sName, data.Ref(), h.now())
	default:
		return nil
	}
	return err
}

// isOver reports whether nothing of that run is to be in the cluster.
func isOver(pod pods.Pod, ref pods.Ref) bool {
	return pod.Ref() != ref || pod.Status == pods.StatusDeleting || pod.Status == pods.StatusStopped
}
