package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

// UpdateContainer stores what Kubernetes says of a pod's container while the
// pod stays in its status. It sends pod.updated if that is news, and writes no
// action line.
//
// Errors: KindConflict when the pod is not in the run that ref names, or in a
// status in which it has no container.
func (s *Store) UpdateContainer(ctx context.Context, ref pods.Ref, status pods.ContainerStatus) error {
	const query = `
		UPDATE pods AS p SET status_container = @container, update_ts = @now
		WHERE p.tenant_id = @tenant_id AND p.pod_id = @pod_id AND p.uid = @uid AND p.instance = @instance
		RETURNING` + podColumns

	status = storableStatus(status)
	err := s.inTx(ctx, func(t *tx) error {
		pod, err := t.lockRun(ctx, ref)
		if err != nil || pod.StatusContainer == status {
			return err
		}
		if pod.Status == pods.StatusStopped || pod.Status == pods.StatusRequested {
			return pods.Conflict("pod %s is %s and has no container", ref.PodID, pod.Status)
		}
		if pod, err = one(ctx, t, query, refArgs(ref, pgx.StrictNamedArgs{"container": status, "now": t.now})); err != nil {
			return err
		}
		return t.emit(events.TypePodUpdated, pods.ActorHealth, pod)
	})
	if err != nil {
		return fmt.Errorf("update the container of pod %s: %w", ref.PodID, err)
	}
	return nil
}

// PodByK8sName returns the pod whose Kubernetes objects have that name, of
// whichever tenant: it is for what the cluster reports, not for users.
//
// Errors: KindNotFound.
func (s *Store) PodByK8sName(ctx context.Context, k8sName string) (pods.Pod, error) {
	const query = `
		SELECT` + podColumns + `
		FROM pods AS p WHERE p.k8s_name = @k8s_name`

	pod, err := one(ctx, s.pool, query, pgx.StrictNamedArgs{"k8s_name": k8sName})
	if errors.Is(err, pgx.ErrNoRows) {
		return pods.Pod{}, pods.NotFound("No pod has the Kubernetes name '%s'", k8sName)
	}
	if err != nil {
		return pods.Pod{}, fmt.Errorf("read pod %s: %w", k8sName, translate(err))
	}
	return pod, nil
}

// Overview returns every pod of every tenant but those that are STOPPED and
// wanted OFF: all that may need something done.
func (s *Store) Overview(ctx context.Context) ([]pods.Pod, error) {
	const query = `
		SELECT` + podColumns + `
		FROM pods AS p WHERE NOT (p.status = 'STOPPED' AND p.status_requested = 'OFF')
		ORDER BY p.tenant_id, p.pod_id`

	return list(ctx, s.pool, query, nil)
}

// Unsettled returns, of every tenant, the pods that are on their way from one
// status to another, those whose time to stop has come, and those whose
// Kubernetes objects have one of the names.
func (s *Store) Unsettled(ctx context.Context, k8sNames []string) ([]pods.Pod, error) {
	const query = `
		WITH wanted AS (
			SELECT tenant_id, pod_id FROM pods
			WHERE status IN ('REQUESTED', 'SPAWNER SETUP', 'CREATING', 'DELETING')
				OR status_requested = 'RESTART'
				OR (status_requested = 'OFF') <> (status = 'STOPPED')
			UNION
			SELECT tenant_id, pod_id FROM pods WHERE status_requested = 'ON' AND time_to_stop_ts <= @now
			UNION
			SELECT tenant_id, pod_id FROM pods WHERE k8s_name = ANY (@k8s_names)
		)
		SELECT` + podColumns + `
		FROM pods AS p JOIN wanted USING (tenant_id, pod_id)
		ORDER BY p.tenant_id, p.pod_id`

	return list(ctx, s.pool, query, pgx.StrictNamedArgs{"now": s.now(), "k8s_names": k8sNames})
}

// Everything returns every pod of every tenant, for the route table: those that
// are STOPPED have a status page.
func (s *Store) Everything(ctx context.Context) ([]pods.Pod, error) {
	const query = `
		SELECT` + podColumns + `
		FROM pods AS p ORDER BY p.tenant_id, p.pod_id`

	return list(ctx, s.pool, query, nil)
}
