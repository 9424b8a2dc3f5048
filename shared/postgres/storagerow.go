package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/volumes"
)

// storageColumns are the columns of storageRow, of a table named s.
const storageColumns = `
	s.tenant_id, s.kind, s.id, s.site_id, s.description, s.size_limit, s.status, s.added_by, s.creation_ts, s.update_ts,
	s.bytes, s.files, s.measured_at, s.source_volume_id, s.source_volume_path, s.destination_path, s.cron, s.retention_policy,
	s.next_due_at, s.last_due_at, s.last_error, s.schedule_id, s.due_at,
	(SELECT coalesce(jsonb_agg(jsonb_build_object('User', e.username, 'Level', e.level) ORDER BY e.position), '[]')
		FROM storage_permissions AS e WHERE e.tenant_id = s.tenant_id AND e.kind = s.kind AND e.id = s.id) AS permissions`

// storageRow is a volume or a snapshot; a volume has nothing in the columns of
// snapshots.
type storageRow struct {
	TenantID         string          `db:"tenant_id"`
	Kind             volumes.Kind    `db:"kind"`
	ID               string          `db:"id"`
	SiteID           string          `db:"site_id"`
	Description      string          `db:"description"`
	SizeLimit        int64           `db:"size_limit"`
	Status           volumes.Status  `db:"status"`
	AddedBy          string          `db:"added_by"`
	CreationTS       time.Time       `db:"creation_ts"`
	UpdateTS         time.Time       `db:"update_ts"`
	Bytes            int64           `db:"bytes"`
	Files            int64           `db:"files"`
	MeasuredAt       *time.Time      `db:"measured_at"`
	SourceVolumeID   string          `db:"source_volume_id"`
	SourceVolumePath string          `db:"source_volume_path"`
	DestinationPath  string          `db:"destination_path"`
	Cron             string          `db:"cron"`
	RetentionPolicy  string          `db:"retention_policy"`
	NextDueAt        *time.Time      `db:"next_due_at"`
	LastDueAt        *time.Time      `db:"last_due_at"`
	LastError        string          `db:"last_error"`
	ScheduleID       string          `db:"schedule_id"`
	DueAt            *time.Time      `db:"due_at"`
	Permissions      permissions.Set `db:"permissions"`
}

// volume returns a row of the kind volume.
func (r storageRow) volume() volumes.Volume {
	return volumes.Volume{Base: volumes.Base{
		TenantID: r.TenantID, SiteID: r.SiteID, ID: r.ID, Description: r.Description, SizeLimit: r.SizeLimit,
		Usage:  volumes.Usage{Bytes: r.Bytes, Files: r.Files, MeasuredAt: inUTC(r.MeasuredAt)},
		Status: r.Status, AddedBy: r.AddedBy, Permissions: r.Permissions,
		CreationTS: r.CreationTS.UTC(), UpdateTS: r.UpdateTS.UTC(),
	}}
}

// snapshot returns a row of the kind snapshot.
func (r storageRow) snapshot() volumes.Snapshot {
	return volumes.Snapshot{
		Base: r.volume().Base, SourceVolumeID: r.SourceVolumeID, SourceVolumePath: r.SourceVolumePath,
		DestinationPath: r.DestinationPath, Cron: r.Cron, RetentionPolicy: r.RetentionPolicy,
		NextDueAt: inUTC(r.NextDueAt), LastDueAt: inUTC(r.LastDueAt), LastError: r.LastError,
		ScheduleID: r.ScheduleID, DueAt: inUTC(r.DueAt),
	}
}

func inUTC(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	return new(at.UTC())
}

func listStorage[T any](ctx context.Context, db queryer, query string, args pgx.StrictNamedArgs, read func(storageRow) T) ([]T, error) {
	rows, err := db.Query(ctx, query, args)
	if err != nil {
		return nil, translate(err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (T, error) {
		r, err := pgx.RowToStructByName[storageRow](row)
		return read(r), err
	})
	return found, translate(err)
}

// storageArgs are the arguments that name a volume or snapshot, and more.
func storageArgs(ref volumes.Ref, more pgx.StrictNamedArgs) pgx.StrictNamedArgs {
	args := pgx.StrictNamedArgs{"tenant_id": ref.TenantID, "kind": ref.Kind, "id": ref.ID}
	for name, value := range more {
		args[name] = value
	}
	return args
}
