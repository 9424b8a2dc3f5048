package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/volumes"
)

// measureEvery is how long a measured size counts.
const measureEvery = 10 * time.Minute

// ScheduleDueSnapshots sends the event snapshot.due for up to limit schedules that
// are due, the longest due first, and sets each to the next of its times that is
// to come: of several that were missed one copy is made. It returns how many.
func (s *Store) ScheduleDueSnapshots(ctx context.Context, limit int) (int, error) {
	const query = `
		SELECT` + storageColumns + ` FROM storage AS s
		WHERE s.next_due_at <= @now AND s.status = 'AVAILABLE'
		ORDER BY s.next_due_at LIMIT @limit FOR NO KEY UPDATE OF s SKIP LOCKED`
	const update = `
		UPDATE storage SET last_due_at = next_due_at, next_due_at = @next_due_at
		WHERE tenant_id = @tenant_id AND kind = @kind AND id = @id`

	var count int
	err := s.inTx(ctx, func(t *tx) error {
		due, err := listStorage(ctx, t, query, pgx.StrictNamedArgs{"now": t.now, "limit": limit}, storageRow.snapshot)
		if err != nil {
			return err
		}
		count = len(due)
		for _, schedule := range due {
			t.batch.Queue(update, storageArgs(schedule.Ref(), pgx.StrictNamedArgs{"next_due_at": schedule.Next(t.now)}))
			data := events.SnapshotDue{TenantID: schedule.TenantID, SnapshotID: schedule.ID, DueAt: *schedule.NextDueAt}
			if err := t.send(schedule.TenantID, events.NewSnapshotDue(pods.ActorHealth, data, t.now)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("send for snapshots that are due: %w", err)
	}
	return count, nil
}

// ScheduleRan takes down how the copy that was due at a time has come out:
// failure says why it was not made, empty when it was. It does nothing when
// another has been asked for since.
func (s *Store) ScheduleRan(ctx context.Context, schedule volumes.Ref, dueAt time.Time, failure string) error {
	const query = `
		UPDATE storage SET last_error = @failure
		WHERE tenant_id = @tenant_id AND kind = @kind AND id = @id AND last_due_at = @due_at`

	_, err := s.pool.Exec(ctx, query, storageArgs(schedule, pgx.StrictNamedArgs{"due_at": dueAt, "failure": storable(failure)}))
	return translate(err)
}

// Copies returns the snapshots that a schedule has made, the newest first.
func (s *Store) Copies(ctx context.Context, tenantID, scheduleID string) ([]volumes.Snapshot, error) {
	const query = `
		SELECT` + storageColumns + ` FROM storage AS s
		WHERE s.tenant_id = @tenant_id AND s.kind = 'snapshot' AND s.schedule_id = @schedule_id AND s.schedule_id <> ''
			AND s.status = 'AVAILABLE'
		ORDER BY s.due_at DESC`

	return listStorage(ctx, s.db(ctx), query, pgx.StrictNamedArgs{"tenant_id": tenantID, "schedule_id": scheduleID}, storageRow.snapshot)
}

// StorageDue says what is to be done about volumes and snapshots.
type StorageDue struct {
	Snapshots bool // a schedule is due
	Measure   bool // something is to be measured
	CleanUp   bool // work is left undone, or something is to be purged
}

// StorageDue reports whether anything is due.
func (s *Store) StorageDue(ctx context.Context) (due StorageDue, err error) {
	const query = `
		SELECT
			EXISTS (SELECT FROM storage WHERE next_due_at <= @now AND status = 'AVAILABLE'),
			EXISTS (SELECT FROM storage WHERE measure_due_at <= @now),
			EXISTS (SELECT FROM storage WHERE worker_until <= @now) OR EXISTS (SELECT FROM storage_removed WHERE purge_at <= @now)`

	err = s.pool.QueryRow(ctx, query, pgx.StrictNamedArgs{"now": s.now()}).Scan(&due.Snapshots, &due.Measure, &due.CleanUp)
	if err != nil {
		return StorageDue{}, fmt.Errorf("look for storage that is due: %w", translate(err))
	}
	return due, nil
}

// AskForUpkeep sends the events that have volumes and snapshots measured and
// cleaned up.
func (s *Store) AskForUpkeep(ctx context.Context, due StorageDue) error {
	err := s.inTx(ctx, func(t *tx) error {
		if due.Measure {
			if err := t.send("", events.NewVolumeMeasureDue(pods.ActorHealth, t.now)); err != nil {
				return err
			}
		}
		if due.CleanUp {
			return t.send("", events.NewVolumeCleanUpDue(pods.ActorHealth, t.now))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ask for the upkeep of storage: %w", err)
	}
	return nil
}

// ClaimMeasure returns up to limit volumes and snapshots that are to be measured,
// the longest due first. They are due again when a measured size counts no more.
func (s *Store) ClaimMeasure(ctx context.Context, limit int) ([]volumes.Ref, error) {
	const query = `
		WITH due AS (
			SELECT tenant_id, kind, id FROM storage WHERE measure_due_at <= @now
			ORDER BY measure_due_at LIMIT @limit FOR UPDATE SKIP LOCKED
		)
		UPDATE storage AS s SET measure_due_at = @again
		FROM due WHERE s.tenant_id = due.tenant_id AND s.kind = due.kind AND s.id = due.id
		RETURNING s.tenant_id, s.kind, s.id`

	now := s.now()
	rows, err := s.pool.Query(ctx, query, pgx.StrictNamedArgs{"now": now, "again": now.Add(measureEvery), "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("claim what is to be measured: %w", translate(err))
	}
	claimed, err := pgx.CollectRows(rows, pgx.RowToStructByPos[volumes.Ref])
	return claimed, translate(err)
}

// Measured stores how much a volume or snapshot holds.
func (s *Store) Measured(ctx context.Context, ref volumes.Ref, usage volumes.Usage) error {
	const query = `
		UPDATE storage SET bytes = @bytes, files = @files, measured_at = @now
		WHERE tenant_id = @tenant_id AND kind = @kind AND id = @id`

	_, err := s.pool.Exec(ctx, query, storageArgs(ref, pgx.StrictNamedArgs{"bytes": usage.Bytes, "files": usage.Files, "now": s.now()}))
	return translate(err)
}
