package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
)

// CreatePod stores pod, made with pods.New, with its credentials and returns
// it; user by becomes its ADMIN. A pod that is REQUESTED brings the event
// pod.requested, any other pod.updated.
//
// Errors: KindConflict when the tenant has a pod of that id.
func (s *Store) CreatePod(ctx context.Context, pod pods.Pod, creds pods.Credentials, by string) (pods.Pod, error) {
	sealed, err := s.seal(pod, creds)
	if err != nil {
		return pods.Pod{}, err
	}
	var created pods.Pod
	err = s.atOnce(ctx, func(c *changes) error {
		c.insertPod(pod, &created)
		c.setPermissions(pod.TenantID, pod.ID, permissions.Set{{User: by, Level: permissions.Admin}})
		c.insertCredentials(pod.TenantID, pod.ID, sealed)
		c.log(pod.TenantID, pod.ID, pods.ActionCreated(by))
		if pod.Status == pods.StatusRequested {
			return c.emit(events.TypePodRequested, pods.ActorAPI, pod)
		}
		return c.emit(events.TypePodUpdated, pods.ActorAPI, pod)
	})
	if pods.KindOf(err) == pods.KindConflict {
		return pods.Pod{}, &pods.Error{Kind: pods.KindConflict, Err: err, Message: fmt.Sprintf(
			"Duplicate key found: pod_id '%s' is already taken in this tenant. Choose another, or delete the pod first.", pod.ID)}
	}
	if err != nil {
		return pods.Pod{}, fmt.Errorf("create pod %s: %w", pod.ID, err)
	}
	return created, nil
}

// insertPod adds pod; created is set to it, as it is stored, when the batch has
// been run.
func (c *changes) insertPod(pod pods.Pod, created *pods.Pod) {
	const query = `
		INSERT INTO pods AS p (
			tenant_id, pod_id, site_id, uid, instance, k8s_name,
			image, template, description, command, arguments, environment_variables, volume_mounts,
			time_to_stop_default, time_to_stop_instance, networking, resources, compute_queue, modified,
			status, status_requested, status_container, status_since, address, started_by, creation_ts, update_ts)
		VALUES (
			@tenant_id, @pod_id, @site_id, @uid, @instance, @k8s_name,
			@image, @template, @description, @command, @arguments, @environment_variables, @volume_mounts,
			@time_to_stop_default, @time_to_stop_instance, @networking, @resources, @compute_queue, @modified,
			@status, @status_requested, '{}', @status_since, '', @started_by, @creation_ts, @update_ts)
		RETURNING` + podColumns

	args := specArgs(pod.Spec, pod.Modified)
	maps.Copy(args, refArgs(pod.Ref(), pgx.StrictNamedArgs{
		"site_id": pod.SiteID, "k8s_name": pod.K8sName,
		"status": pod.Status, "status_requested": pod.StatusRequested, "status_since": pod.StatusSince, "started_by": pod.StartedBy,
		"creation_ts": pod.CreationTS, "update_ts": pod.UpdateTS,
	}))
	c.batch.Queue(query, named(args)).Query(func(rows pgx.Rows) error {
		var err error
		*created, err = pgx.CollectExactlyOneRow(rows, scanOne)
		return err
	})
}

// Pod returns a pod and who may do what with it.
//
// Errors: KindNotFound.
func (s *Store) Pod(ctx context.Context, tenantID, podID string) (pods.Pod, permissions.Set, error) {
	const query = `
		SELECT` + podColumns + `,` + permissionsColumn + `
		FROM pods AS p WHERE p.tenant_id = @tenant_id AND p.pod_id = @pod_id`

	return podAndPermissions(ctx, s.pool, query, tenantID, podID)
}

// DeletePod removes a pod with all that belongs to it, if authorize does not
// object to the pod as it is, and leaves a tombstone and the event
// pod.deleted. The id can be used again at once.
//
// Errors: KindNotFound; what authorize returns, as it is.
func (s *Store) DeletePod(ctx context.Context, tenantID, podID string, authorize func(pods.Pod, permissions.Set) error) error {
	const lock = `
		SELECT` + podColumns + `,` + permissionsColumn + `
		FROM pods AS p WHERE p.tenant_id = @tenant_id AND p.pod_id = @pod_id FOR UPDATE OF p`
	const remove = `
		WITH gone AS (
			DELETE FROM pods WHERE tenant_id = @tenant_id AND pod_id = @pod_id
			RETURNING tenant_id, pod_id, uid, k8s_name
		)
		INSERT INTO tombstones (tenant_id, pod_id, uid, k8s_name, deleted_at)
		SELECT tenant_id, pod_id, uid, k8s_name, @now FROM gone`

	return s.inTx(ctx, func(t *tx) error {
		pod, set, err := podAndPermissions(ctx, t, lock, tenantID, podID)
		if err != nil {
			return err
		}
		if err := authorize(pod, set); err != nil {
			return err
		}
		args := pgx.StrictNamedArgs{"tenant_id": tenantID, "pod_id": podID, "now": t.now}
		if _, err := t.Exec(ctx, remove, args); err != nil {
			return fmt.Errorf("delete pod %s: %w", podID, err)
		}
		data := events.Data(pod)
		data.Status = "" // a pod that is gone has none
		return t.emitData(events.TypePodDeleted, pods.ActorAPI, data)
	})
}

func podAndPermissions(ctx context.Context, db queryer, query, tenantID, podID string) (pods.Pod, permissions.Set, error) {
	rows, err := db.Query(ctx, query, named{"tenant_id": tenantID, "pod_id": podID})
	if err != nil {
		return pods.Pod{}, nil, translate(err)
	}
	var set permissions.Set
	pod, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (pods.Pod, error) { return scanPod(row, &set) })
	if errors.Is(err, pgx.ErrNoRows) {
		return pods.Pod{}, nil, pods.PodNotFound(podID)
	}
	if err != nil {
		return pods.Pod{}, nil, fmt.Errorf("read pod %s: %w", podID, translate(err))
	}
	return pod, set, nil
}
