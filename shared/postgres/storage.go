package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/volumes"
)

// oneAvailable is the condition on the one row that users can see under an id.
const oneAvailable = ` WHERE s.tenant_id = @tenant_id AND s.kind = @kind AND s.id = @id AND s.status = 'AVAILABLE' `

// Volume returns a volume, with who may do what with it.
//
// Errors: volumes.NotFound, also while it is being made or removed.
func (s *Store) Volume(ctx context.Context, tenantID, volumeID string) (volumes.Volume, error) {
	return available(ctx, s.db(ctx), volumes.Ref{TenantID: tenantID, Kind: volumes.KindVolume, ID: volumeID}, "", storageRow.volume)
}

// Snapshot returns a snapshot, with who may do what with it.
//
// Errors: volumes.NotFound, also while it is being made or removed.
func (s *Store) Snapshot(ctx context.Context, tenantID, snapshotID string) (volumes.Snapshot, error) {
	return available(ctx, s.db(ctx), volumes.Ref{TenantID: tenantID, Kind: volumes.KindSnapshot, ID: snapshotID}, "", storageRow.snapshot)
}

func available[T any](ctx context.Context, db queryer, ref volumes.Ref, lock string, read func(storageRow) T) (T, error) {
	const query = `SELECT` + storageColumns + ` FROM storage AS s` + oneAvailable

	var none T
	found, err := listStorage(ctx, db, query+lock, storageArgs(ref, nil), read)
	if err != nil {
		return none, fmt.Errorf("read %s %s: %w", ref.Kind, ref.ID, err)
	}
	if len(found) == 0 {
		return none, volumes.NotFound(ref.Kind, ref.ID)
	}
	return found[0], nil
}

// Volumes returns the volumes of a tenant that username may read, all of them
// for an empty name, oldest first.
func (s *Store) Volumes(ctx context.Context, tenantID, username string) ([]volumes.Volume, error) {
	return visible(ctx, s.db(ctx), tenantID, volumes.KindVolume, username, storageRow.volume)
}

// Snapshots returns the snapshots of a tenant that username may read, all of
// them for an empty name, oldest first.
func (s *Store) Snapshots(ctx context.Context, tenantID, username string) ([]volumes.Snapshot, error) {
	return visible(ctx, s.db(ctx), tenantID, volumes.KindSnapshot, username, storageRow.snapshot)
}

func visible[T any](ctx context.Context, db queryer, tenantID string, kind volumes.Kind, username string, read func(storageRow) T) ([]T, error) {
	const query = `
		SELECT` + storageColumns + ` FROM storage AS s
		WHERE s.tenant_id = @tenant_id AND s.kind = @kind AND s.status = 'AVAILABLE' AND (@username = '' OR EXISTS (
			SELECT FROM storage_permissions AS own
			WHERE own.tenant_id = s.tenant_id AND own.kind = s.kind AND own.id = s.id AND own.username = @username))
		ORDER BY s.creation_ts, s.id`

	found, err := listStorage(ctx, db, query, pgx.StrictNamedArgs{"tenant_id": tenantID, "kind": kind, "username": username}, read)
	if err != nil {
		return nil, fmt.Errorf("list %ss: %w", kind, err)
	}
	return found, nil
}

// ChangeVolume shows change the volume as it is and stores what it returns, in
// one transaction in which nobody else can change the volume. It is where
// requests are authorized too: an error of change leaves everything as it was
// and is returned as it is.
//
// Errors: volumes.NotFound.
func (s *Store) ChangeVolume(
	ctx context.Context, tenantID, volumeID string, change func(volumes.Volume) (volumes.Volume, error),
) (changed volumes.Volume, err error) {
	ref := volumes.Ref{TenantID: tenantID, Kind: volumes.KindVolume, ID: volumeID}
	err = s.inTx(ctx, func(t *tx) error {
		volume, err := available(ctx, t, ref, "FOR NO KEY UPDATE OF s", storageRow.volume)
		if err != nil {
			return err
		}
		if changed, err = change(volume); err != nil {
			return err
		}
		changed.UpdateTS = t.now
		t.updateStorage(ref, volumes.Snapshot{Base: changed.Base})
		return nil
	})
	return changed, err
}

// ChangeSnapshot is ChangeVolume for a snapshot. When its schedule has changed,
// the next copy is due at the first time of the new one.
//
// Errors: volumes.NotFound.
func (s *Store) ChangeSnapshot(
	ctx context.Context, tenantID, snapshotID string, change func(volumes.Snapshot) (volumes.Snapshot, error),
) (changed volumes.Snapshot, err error) {
	ref := volumes.Ref{TenantID: tenantID, Kind: volumes.KindSnapshot, ID: snapshotID}
	err = s.inTx(ctx, func(t *tx) error {
		snapshot, err := available(ctx, t, ref, "FOR NO KEY UPDATE OF s", storageRow.snapshot)
		if err != nil {
			return err
		}
		if changed, err = change(snapshot); err != nil {
			return err
		}
		changed.UpdateTS = t.now
		if changed.Cron != snapshot.Cron {
			changed.NextDueAt, changed.LastError = changed.Next(t.now), ""
		}
		t.updateStorage(ref, changed)
		return nil
	})
	return changed, err
}

// updateStorage stores what users can change of a row.
func (t *tx) updateStorage(ref volumes.Ref, to volumes.Snapshot) {
	const query = `
		UPDATE storage SET
			description = @description, size_limit = @size_limit, cron = @cron, retention_policy = @retention_policy,
			next_due_at = @next_due_at, last_error = @last_error, update_ts = @now
		WHERE tenant_id = @tenant_id AND kind = @kind AND id = @id`

	t.batch.Queue(query, storageArgs(ref, pgx.StrictNamedArgs{
		"description": to.Description, "size_limit": to.SizeLimit, "cron": to.Cron, "retention_policy": to.RetentionPolicy,
		"next_due_at": to.NextDueAt, "last_error": to.LastError, "now": t.now,
	}))
	t.setStoragePermissions(ref, to.Permissions)
}

// setStoragePermissions replaces the entries of a volume or snapshot.
func (t *tx) setStoragePermissions(ref volumes.Ref, set permissions.Set) {
	const remove = `DELETE FROM storage_permissions WHERE tenant_id = @tenant_id AND kind = @kind AND id = @id`
	const insert = `
		INSERT INTO storage_permissions (tenant_id, kind, id, username, level, position)
		SELECT @tenant_id, @kind, @id, entry.username, entry.level, entry.position
		FROM unnest(@users::text[], @levels::smallint[]) WITH ORDINALITY AS entry (username, level, position)`

	users, levels := columns(set)
	t.batch.Queue(remove, storageArgs(ref, nil))
	t.batch.Queue(insert, storageArgs(ref, pgx.StrictNamedArgs{"users": users, "levels": levels}))
}

// MountingPods returns the pods of a tenant that are wanted to run, or whose
// objects may still be there, and that mount the volume or snapshot with the id by
// their own mounts, or have a template that may bring such a mount.
func (s *Store) MountingPods(ctx context.Context, tenantID, id string) ([]pods.Pod, error) {
	const query = `
		SELECT` + podColumns + `
		FROM pods AS p
		WHERE p.tenant_id = @tenant_id AND NOT (p.status = 'STOPPED' AND p.status_requested = 'OFF') AND (
			p.template <> '' OR p.volume_mounts ? @id
			OR jsonb_path_exists(p.volume_mounts, '$.*.source_id ? (@ == $id)', jsonb_build_object('id', @id::text)))
		ORDER BY p.pod_id`

	return list(ctx, s.db(ctx), query, pgx.StrictNamedArgs{"tenant_id": tenantID, "id": id})
}

// Uploaded says that the volume has grown by so many bytes, or shrunk, since it
// was last measured. It is to be measured again soon.
func (s *Store) Uploaded(ctx context.Context, ref volumes.Ref, bytes int64) error {
	const query = `
		UPDATE storage SET bytes = greatest(0, bytes + @bytes), measure_due_at = least(measure_due_at, @due)
		WHERE tenant_id = @tenant_id AND kind = @kind AND id = @id`

	_, err := s.db(ctx).Exec(ctx, query, storageArgs(ref, pgx.StrictNamedArgs{"bytes": bytes, "due": s.now().Add(measureSoon)}))
	return translate(err)
}

// measureSoon is how long after a change a volume is measured.
const measureSoon = time.Minute
