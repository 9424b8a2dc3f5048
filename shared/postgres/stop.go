package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

// FinishStop records that nothing of a pod is left in the cluster and returns
// the pod as it is then. The pod becomes STOPPED and forgets its times,
// container and address; one that is wanted RESTART or ON starts again: its
// next instance is REQUESTED, with the event pod.requested. A pod that is
// already STOPPED is just moved on if it is wanted so.
//
// Errors: KindConflict when the pod is not in the run that ref names or in no
// status from which by may end it.
func (s *Store) FinishStop(ctx context.Context, ref pods.Ref, by pods.Actor) (pods.Pod, error) {
	var pod pods.Pod
	err := s.inTx(ctx, func(t *tx) (err error) {
		if pod, err = t.lockRun(ctx, ref); err != nil {
			return err
		}
		if pod.Status != pods.StatusStopped {
			if pod, err = t.stop(ctx, ref, by); err != nil {
				return err
			}
		}
		if pod.StatusRequested == pods.DesiredOff {
			return nil
		}
		if pod, err = t.start(ctx, pod, by); err != nil {
			return err
		}
		t.log(pod.TenantID, pod.ID, pods.ActionStatus(by, pod.Status))
		return nil
	})
	if err != nil {
		return pods.Pod{}, fmt.Errorf("finish stop of pod %s: %w", ref.PodID, err)
	}
	return pod, nil
}

// stop moves a pod to STOPPED.
func (t *tx) stop(ctx context.Context, ref pods.Ref, by pods.Actor) (pods.Pod, error) {
	const query = `
		UPDATE pods AS p SET
			status = 'STOPPED', status_since = @now, update_ts = @now, status_container = '{}', address = '',
			start_instance_ts = NULL, time_to_stop_ts = NULL, time_to_stop_instance = NULL
		WHERE p.tenant_id = @tenant_id AND p.pod_id = @pod_id AND p.uid = @uid AND p.instance = @instance
			AND p.status = ANY (@from)
		RETURNING` + podColumns

	args := refArgs(ref, pgx.StrictNamedArgs{"now": t.now, "from": pods.From(by, pods.StatusStopped)})
	pod, err := one(ctx, t, query, args)
	if errors.Is(err, pgx.ErrNoRows) {
		return pods.Pod{}, pods.Conflict("pod %s is in no state that %s ends", ref.PodID, by)
	}
	if err != nil {
		return pods.Pod{}, err
	}
	t.log(pod.TenantID, pod.ID, pods.ActionStatus(by, pod.Status))
	return pod, t.emit(events.TypePodStatusChanged, by, pod)
}

// start moves a STOPPED pod to the request for its next instance, which is
// wanted ON.
func (t *tx) start(ctx context.Context, pod pods.Pod, by pods.Actor) (pods.Pod, error) {
	const query = `
		UPDATE pods AS p SET
			status = 'REQUESTED', status_requested = 'ON', instance = p.instance + 1,
			status_since = @now, update_ts = @now
		WHERE p.tenant_id = @tenant_id AND p.pod_id = @pod_id AND p.uid = @uid AND p.instance = @instance
			AND p.status = ANY (@from)
		RETURNING` + podColumns

	args := refArgs(pod.Ref(), pgx.StrictNamedArgs{"now": t.now, "from": pods.From(by, pods.StatusRequested)})
	started, err := one(ctx, t, query, args)
	if errors.Is(err, pgx.ErrNoRows) {
		return pods.Pod{}, pods.Conflict("pod %s is in no state from which %s starts it", pod.ID, by)
	}
	if err != nil {
		return pods.Pod{}, fmt.Errorf("start pod %s: %w", pod.ID, err)
	}
	return started, t.emit(events.TypePodRequested, by, started)
}

// StopDue sets a pod whose time to stop has come to OFF, with the event
// pod.stop_requested, and returns it.
//
// Errors: KindConflict when the time has not come, when the pod is not wanted
// ON, or is not in the run that ref names.
func (s *Store) StopDue(ctx context.Context, ref pods.Ref) (pods.Pod, error) {
	const query = `
		UPDATE pods AS p SET status_requested = 'OFF', update_ts = @now
		WHERE p.tenant_id = @tenant_id AND p.pod_id = @pod_id AND p.uid = @uid AND p.instance = @instance
			AND p.status_requested = 'ON' AND p.time_to_stop_ts <= @now
		RETURNING` + podColumns

	var pod pods.Pod
	err := s.inTx(ctx, func(t *tx) (err error) {
		pod, err = one(ctx, t, query, refArgs(ref, pgx.StrictNamedArgs{"now": t.now}))
		if errors.Is(err, pgx.ErrNoRows) {
			return pods.Conflict("pod %s is not due to be stopped", ref.PodID)
		}
		if err != nil {
			return err
		}
		t.log(pod.TenantID, pod.ID, pods.ActionTimeToStop)
		return t.emit(events.TypePodStopRequested, pods.ActorHealth, pod)
	})
	if err != nil {
		return pods.Pod{}, fmt.Errorf("stop due pod %s: %w", ref.PodID, err)
	}
	return pod, nil
}
