package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

type tombstoneRow struct {
	TenantID  string    `db:"tenant_id"`
	PodID     string    `db:"pod_id"`
	UID       string    `db:"uid"`
	K8sName   string    `db:"k8s_name"`
	DeletedAt time.Time `db:"deleted_at"`
}

// Tombstones returns the deleted pods whose cluster objects may still be
// there, of every tenant, oldest first.
func (s *Store) Tombstones(ctx context.Context) ([]pods.Tombstone, error) {
	const query = `
		SELECT tenant_id, pod_id, uid, k8s_name, deleted_at FROM tombstones
		ORDER BY deleted_at, uid`

	return s.tombstones(ctx, query, nil)
}

// TombstonesByK8sName returns the tombstones of all lives of the pod whose
// Kubernetes objects have that name, oldest first.
func (s *Store) TombstonesByK8sName(ctx context.Context, k8sName string) ([]pods.Tombstone, error) {
	const query = `
		SELECT tenant_id, pod_id, uid, k8s_name, deleted_at FROM tombstones
		WHERE k8s_name = @k8s_name
		ORDER BY deleted_at, uid`

	return s.tombstones(ctx, query, pgx.StrictNamedArgs{"k8s_name": k8sName})
}

func (s *Store) tombstones(ctx context.Context, query string, args pgx.StrictNamedArgs) ([]pods.Tombstone, error) {
	rows, err := s.pool.Query(ctx, query, args)
	if err != nil {
		return nil, translate(err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (pods.Tombstone, error) {
		r, err := pgx.RowToStructByName[tombstoneRow](row)
		r.DeletedAt = r.DeletedAt.UTC()
		return pods.Tombstone(r), err
	})
	return found, translate(err)
}

// RemoveTombstone forgets a deleted pod; its cluster objects are gone. It
// succeeds when there is none.
func (s *Store) RemoveTombstone(ctx context.Context, uid string) error {
	const query = `DELETE FROM tombstones WHERE uid = @uid`

	_, err := s.pool.Exec(ctx, query, pgx.StrictNamedArgs{"uid": uid})
	return translate(err)
}

// Resend writes one more event of the given type for a pod that nobody has
// picked up in time.
//
// Errors: KindConflict when the pod is not in the run that ref names.
func (s *Store) Resend(ctx context.Context, eventType string, ref pods.Ref) error {
	err := s.inTx(ctx, func(t *tx) error {
		pod, err := t.lockRun(ctx, ref)
		if err != nil {
			return err
		}
		return t.emit(eventType, pods.ActorHealth, pod)
	})
	if err != nil {
		return fmt.Errorf("send %s of pod %s again: %w", eventType, ref.PodID, err)
	}
	return nil
}

// ResendDeleted writes one more event pod.deleted for a tombstone.
//
// Errors: KindConflict when the tombstone is gone.
func (s *Store) ResendDeleted(ctx context.Context, tombstone pods.Tombstone) error {
	const query = `SELECT true FROM tombstones WHERE uid = @uid FOR SHARE`

	err := s.inTx(ctx, func(t *tx) error {
		var there bool
		err := t.QueryRow(ctx, query, pgx.StrictNamedArgs{"uid": tombstone.UID}).Scan(&there)
		if errors.Is(err, pgx.ErrNoRows) {
			return pods.Conflict("pod %s is gone for good", tombstone.PodID)
		}
		if err != nil {
			return err
		}
		return t.emitData(events.TypePodDeleted, pods.ActorHealth, events.PodData{
			TenantID: tombstone.TenantID, PodID: tombstone.PodID, UID: tombstone.UID, K8sName: tombstone.K8sName,
		})
	})
	if err != nil {
		return fmt.Errorf("send %s of pod %s again: %w", events.TypePodDeleted, tombstone.PodID, err)
	}
	return nil
}
