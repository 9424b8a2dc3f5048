package postgres

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
)

// Change is what a user's request does to a pod. The zero value does nothing.
type Change struct {
	// Pod brings the new Spec and Modified; all else in it is ignored. A Pod
	// without ID leaves both as they are.
	Pod pods.Pod
	// Wish is what the user wants from now on; empty leaves it.
	Wish pods.Desired
	// TimeToStopTS replaces when the pod will be stopped, if it is set.
	TimeToStopTS pods.Optional[*time.Time]
	// Permissions replaces all entries; nil leaves them.
	Permissions permissions.Set
	// Actions are texts for the action log: see pods.ActionStopped and others.
	Actions []string
}

// ChangePod shows change the pod as it is and stores what it returns, in one
// transaction in which nobody else can change the pod. Reads of change belong to
// it when they use the context that change gets. It is where requests are
// authorized too: an error of change leaves everything as it was and is returned
// as it is. Caller by must be of the tenant.
//
// The wish OFF sends pod.stop_requested unless the pod is STOPPED; RESTART
// sends it always, since the spawner moves a STOPPED pod on too. ON starts a
// STOPPED pod: its next instance is REQUESTED, with the event pod.requested;
// in any other status just the wish is kept. A change without any of these
// sends pod.updated.
//
// Errors: KindNotFound.
func (s *Store) ChangePod(ctx context.Context, tenantID, podID string, by pods.Caller,
	change func(context.Context, pods.Pod, permissions.Set) (Change, error),
) (pods.Pod, error) {
	const lock = `
		SELECT` + podColumns + `,` + permissionsColumn + `
		FROM pods AS p WHERE p.tenant_id = @tenant_id AND p.pod_id = @pod_id FOR NO KEY UPDATE OF p`

	if by.TenantID != tenantID {
		return pods.Pod{}, pods.PodNotFound(podID)
	}
	var changed pods.Pod
	err := s.inTx(ctx, func(t *tx) error {
		pod, set, err := podAndPermissions(ctx, t, lock, tenantID, podID)
		if err != nil {
			return err
		}
		wanted, err := change(t.within(ctx), pod, set)
		if err != nil {
			return err
		}
		changed, err = t.apply(ctx, pod, by, wanted)
		return err
	})
	if err != nil {
		return pods.Pod{}, err
	}
	return changed, nil
}

// apply stores change, asked for by caller by, on pod, whose row is locked.
func (t *tx) apply(ctx context.Context, pod pods.Pod, by pods.Caller, change Change) (pods.Pod, error) {
	if change.Wish.Starts() {
		pod.StartedBy = by.Username
	}
	pod, err := t.updateSpec(ctx, pod, change)
	if err != nil {
		return pods.Pod{}, fmt.Errorf("change pod %s: %w", pod.ID, err)
	}
	if change.Permissions != nil {
		t.setPermissions(pod.TenantID, pod.ID, change.Permissions)
	}
	for _, text := range change.Actions {
		t.log(pod.TenantID, pod.ID, text)
	}
	stopped := pod.Status == pods.StatusStopped
	switch {
	case change.Wish == pods.DesiredOn && stopped:
		return t.start(ctx, pod, pods.ActorAPI)
	case change.Wish == pods.DesiredOff && !stopped, change.Wish == pods.DesiredRestart:
		return pod, t.emit(events.TypePodStopRequested, pods.ActorAPI, pod)
	}
	return pod, t.emit(events.TypePodUpdated, pods.ActorAPI, pod)
}

func (t *tx) updateSpec(ctx context.Context, pod pods.Pod, change Change) (pods.Pod, error) {
	const query = `
		UPDATE pods AS p SET
			image = @image, template = @template, description = @description,
			command = @command, arguments = @arguments,
			environment_variables = @environment_variables, volume_mounts = @volume_mounts,
			time_to_stop_default = @time_to_stop_default, time_to_stop_instance = @time_to_stop_instance,
			networking = @networking, resources = @resources, compute_queue = @compute_queue, modified = @modified,
			status_requested = @status_requested, started_by = @started_by, time_to_stop_ts = @time_to_stop_ts, update_ts = @now
		WHERE p.tenant_id = @tenant_id AND p.pod_id = @pod_id
		RETURNING` + podColumns

	if change.Pod.ID != "" {
		pod.Spec, pod.Modified = change.Pod.Spec, change.Pod.Modified
	}
	if change.Wish != "" {
		pod.StatusRequested = change.Wish
	}
	if change.TimeToStopTS.Set {
		pod.TimeToStopTS = change.TimeToStopTS.Value
	}
	args := specArgs(pod.Spec, pod.Modified)
	maps.Copy(args, pgx.StrictNamedArgs{
		"tenant_id": pod.TenantID, "pod_id": pod.ID, "now": t.now,
		"status_requested": pod.StatusRequested, "started_by": pod.StartedBy, "time_to_stop_ts": pod.TimeToStopTS,
	})
	return one(ctx, t, query, args)
}
