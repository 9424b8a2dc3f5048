package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/volumes"
)

// Work is somebody's right to make or remove the files of a volume or snapshot.
// It ends unless it is renewed, so that somebody else goes on when a process is
// killed.
type Work struct {
	volumes.Ref
	Worker string // tells one piece of work from all others
}

func (w Work) args(more pgx.StrictNamedArgs) pgx.StrictNamedArgs {
	args := storageArgs(w.Ref, more)
	args["worker"] = w.Worker
	return args
}

// lost is the error for work that somebody else has taken over.
func (w Work) lost() error {
	return pods.Conflict("%s %s is not this process's to work on any more", w.Kind, w.ID)
}

// CreateVolume stores a row for a volume whose files are yet to be made.
//
// Errors: KindConflict when the tenant has a volume of that id.
func (s *Store) CreateVolume(ctx context.Context, volume volumes.Volume, worker string, lease time.Duration) (Work, error) {
	work := Work{volume.Ref(), worker}
	return work, s.createStorage(ctx, work, lease, volumes.Snapshot{Base: volume.Base})
}

// CreateSnapshot stores a row for a snapshot whose files are yet to be copied.
//
// Errors: KindConflict when the tenant has a snapshot of that id.
func (s *Store) CreateSnapshot(ctx context.Context, snapshot volumes.Snapshot, worker string, lease time.Duration) (Work, error) {
	work := Work{snapshot.Ref(), worker}
	return work, s.createStorage(ctx, work, lease, snapshot)
}

func (s *Store) createStorage(ctx context.Context, work Work, lease time.Duration, of volumes.Snapshot) error {
	const query = `
		INSERT INTO storage (
			tenant_id, kind, id, site_id, description, size_limit, status, added_by, creation_ts, update_ts, worker, worker_until,
			source_volume_id, source_volume_path, destination_path, cron, retention_policy, schedule_id, due_at)
		VALUES (
			@tenant_id, @kind, @id, @site_id, @description, @size_limit, 'CREATING', @added_by, @now, @now, @worker, @until,
			@source_volume_id, @source_volume_path, @destination_path, @cron, @retention_policy, @schedule_id, @due_at)`

	err := s.inTx(ctx, func(t *tx) error {
		t.batch.Queue(query, work.args(pgx.StrictNamedArgs{
			"site_id": of.SiteID, "description": of.Description, "size_limit": of.SizeLimit, "added_by": of.AddedBy,
			"now": t.now, "until": t.now.Add(lease),
			"source_volume_id": of.SourceVolumeID, "source_volume_path": of.SourceVolumePath, "destination_path": of.DestinationPath,
			"cron": of.Cron, "retention_policy": of.RetentionPolicy, "schedule_id": of.ScheduleID, "due_at": of.DueAt,
		}))
		t.setStoragePermissions(work.Ref, of.Permissions)
		return nil
	})
	if pods.KindOf(err) == pods.KindConflict {
		return &pods.Error{Kind: pods.KindConflict, Err: err, Message: fmt.Sprintf(
			"Duplicate key found: %s_id '%s' is already taken in this tenant. Choose another, or delete the %[1]s first and try again in a moment.",
			work.Kind, work.ID)}
	}
	if err != nil {
		return fmt.Errorf("create %s %s: %w", work.Kind, work.ID, err)
	}
	return nil
}

// Renew keeps work for another lease.
//
// Errors: KindConflict when it has been taken over.
func (s *Store) Renew(ctx context.Context, work Work, lease time.Duration) error {
	const query = `
		UPDATE storage SET worker_until = @until
		WHERE tenant_id = @tenant_id AND kind = @kind AND id = @id AND worker = @worker AND worker_until IS NOT NULL`

	return s.doWork(ctx, work, query, pgx.StrictNamedArgs{"until": s.now().Add(lease)})
}

func (s *Store) doWork(ctx context.Context, work Work, query string, args pgx.StrictNamedArgs) error {
	done, err := s.pool.Exec(ctx, query, work.args(args))
	if err != nil {
		return fmt.Errorf("%s %s: %w", work.Kind, work.ID, translate(err))
	}
	if done.RowsAffected() == 0 {
		return work.lost()
	}
	return nil
}

// VolumeCreated says that the files of a new volume are there.
//
// Errors: KindConflict when the work has been taken over.
func (s *Store) VolumeCreated(ctx context.Context, work Work, usage volumes.Usage) (volumes.Volume, error) {
	row, err := s.created(ctx, work, usage)
	return row.volume(), err
}

// SnapshotCreated says that the files of a new snapshot are there. Its schedule
// is due from now on.
//
// Errors: KindConflict when the work has been taken over.
func (s *Store) SnapshotCreated(ctx context.Context, work Work, usage volumes.Usage) (volumes.Snapshot, error) {
	row, err := s.created(ctx, work, usage)
	return row.snapshot(), err
}

func (s *Store) created(ctx context.Context, work Work, usage volumes.Usage) (row storageRow, err error) {
	const lock = `
		SELECT` + storageColumns + ` FROM storage AS s
		WHERE s.tenant_id = @tenant_id AND s.kind = @kind AND s.id = @id AND s.status = 'CREATING' AND s.worker = @worker
		FOR NO KEY UPDATE OF s`
	const update = `
		UPDATE storage SET
			status = 'AVAILABLE', worker = '', worker_until = NULL, bytes = @bytes, files = @files, measured_at = @now,
			measure_due_at = CASE WHEN kind = 'volume' THEN @measure_due_at::timestamptz END, next_due_at = @next_due_at
		WHERE tenant_id = @tenant_id AND kind = @kind AND id = @id`

	err = s.inTx(ctx, func(t *tx) error {
		found, err := listStorage(ctx, t, lock, work.args(nil), func(r storageRow) storageRow { return r })
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return work.lost()
		}
		row = found[0]
		row.Status, row.Bytes, row.Files, row.MeasuredAt = volumes.StatusAvailable, usage.Bytes, usage.Files, &t.now
		row.NextDueAt = row.snapshot().Next(t.now)
		t.batch.Queue(update, storageArgs(work.Ref, pgx.StrictNamedArgs{
			"bytes": usage.Bytes, "files": usage.Files, "now": t.now, "measure_due_at": t.now.Add(measureEvery), "next_due_at": row.NextDueAt,
		}))
		return nil
	})
	if err != nil {
		return storageRow{}, fmt.Errorf("finish creating %s %s: %w", work.Kind, work.ID, err)
	}
	return row, nil
}

// NotCreated removes the row of what was CREATING and has got no files. It
// succeeds when the row is gone.
func (s *Store) NotCreated(ctx context.Context, work Work) error {
	const query = `
		DELETE FROM storage
		WHERE tenant_id = @tenant_id AND kind = @kind AND id = @id AND status = 'CREATING' AND worker = @worker`

	_, err := s.pool.Exec(ctx, query, work.args(nil))
	return translate(err)
}

// Removal is the wish to remove a volume or snapshot.
type Removal struct {
	By   string        // a user's name, or who else it is
	Keep time.Duration // how long it can be restored
}

// BeginRemoval has a volume or snapshot be DELETING, if authorize does not object
// to it as it is: users cannot see it any more, and its id is taken until
// EndRemoval. What authorize reads belongs to it if it uses the context it gets. A
// volume is shown to authorize as a snapshot that has the Base alone.
//
// Errors: volumes.NotFound; what authorize returns, as it is.
func (s *Store) BeginRemoval(
	ctx context.Context, work Work, lease time.Duration, removal Removal, authorize func(context.Context, volumes.Snapshot) error,
) error {
	const update = `
		UPDATE storage SET
			status = 'DELETING', worker = @worker, worker_until = @until, removed_by = @by, keep_seconds = @keep,
			measure_due_at = NULL, next_due_at = NULL
		WHERE tenant_id = @tenant_id AND kind = @kind AND id = @id`

	return s.inTx(ctx, func(t *tx) error {
		found, err := available(ctx, t, work.Ref, "FOR UPDATE OF s", storageRow.snapshot)
		if err != nil {
			return err
		}
		if err := authorize(t.within(ctx), found); err != nil {
			return err
		}
		t.batch.Queue(update, work.args(pgx.StrictNamedArgs{
			"until": t.now.Add(lease), "by": removal.By, "keep": seconds(removal.Keep),
		}))
		return nil
	})
}

// EndRemoval moves the row of what is DELETING to what was removed; entry names
// its files in quarantine, empty when there were none.
//
// Errors: KindConflict when the work has been taken over.
func (s *Store) EndRemoval(ctx context.Context, work Work, entry string) error {
	const keep = `
		INSERT INTO storage_removed (entry, tenant_id, kind, id, removed_by, removed_at, purge_at, document, permissions)
		SELECT @entry, tenant_id, kind, id, removed_by, @now, @now::timestamptz + make_interval(secs => keep_seconds), to_jsonb(s),
			(SELECT coalesce(jsonb_agg(to_jsonb(e)), '[]') FROM storage_permissions AS e
				WHERE e.tenant_id = s.tenant_id AND e.kind = s.kind AND e.id = s.id)
		FROM storage AS s
		WHERE s.tenant_id = @tenant_id AND s.kind = @kind AND s.id = @id
		ON CONFLICT ON CONSTRAINT storage_removed_pkey DO NOTHING`
	const remove = `
		DELETE FROM storage
		WHERE tenant_id = @tenant_id AND kind = @kind AND id = @id AND status = 'DELETING' AND worker = @worker`

	err := s.inTx(ctx, func(t *tx) error {
		if entry != "" {
			if _, err := t.Exec(ctx, keep, storageArgs(work.Ref, pgx.StrictNamedArgs{"entry": entry, "now": t.now})); err != nil {
				return err
			}
		}
		done, err := t.Exec(ctx, remove, work.args(nil))
		if err == nil && done.RowsAffected() == 0 {
			err = work.lost()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("finish removing %s %s: %w", work.Kind, work.ID, err)
	}
	return nil
}

// Left is work that somebody has left undone: what is CREATING or DELETING.
type Left struct {
	Work
	Object volumes.Snapshot // the Base alone of a volume
}

// TakeOver gives a piece of work whose worker has not renewed it in time to
// another.
//
// Errors: KindNotFound when there is none.
func (s *Store) TakeOver(ctx context.Context, worker string, lease time.Duration) (Left, error) {
	const query = `
		WITH left_undone AS (
			SELECT tenant_id, kind, id FROM storage WHERE worker_until <= @now
			ORDER BY worker_until LIMIT 1 FOR UPDATE SKIP LOCKED
		)
		UPDATE storage AS s SET worker = @worker, worker_until = @until
		FROM left_undone AS l WHERE s.tenant_id = l.tenant_id AND s.kind = l.kind AND s.id = l.id
		RETURNING` + storageColumns

	now := s.now()
	found, err := listStorage(ctx, s.pool, query, pgx.StrictNamedArgs{"now": now, "worker": worker, "until": now.Add(lease)},
		func(r storageRow) Left {
			return Left{Work{volumes.Ref{TenantID: r.TenantID, Kind: r.Kind, ID: r.ID}, worker}, r.snapshot()}
		})
	if err != nil {
		return Left{}, fmt.Errorf("take over work: %w", err)
	}
	if len(found) == 0 {
		return Left{}, pods.NotFound("no work is left undone")
	}
	return found[0], nil
}
