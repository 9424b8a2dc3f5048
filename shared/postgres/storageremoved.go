package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/volumes"
)

// Removed returns what was deleted in all tenants and can be restored, the newest
// first.
func (s *Store) Removed(ctx context.Context) ([]volumes.Removed, error) {
	return s.removed(ctx, `ORDER BY removed_at DESC, entry`, nil)
}

// Purgeable returns up to limit of what was deleted long enough ago to go for
// good, the longest ago first.
func (s *Store) Purgeable(ctx context.Context, limit int) ([]volumes.Removed, error) {
	return s.removed(ctx, `WHERE purge_at <= @now ORDER BY purge_at LIMIT @limit`, pgx.StrictNamedArgs{"now": s.now(), "limit": limit})
}

func (s *Store) removed(ctx context.Context, which string, args pgx.StrictNamedArgs) ([]volumes.Removed, error) {
	const query = `SELECT tenant_id, kind, id, entry, removed_by, removed_at, purge_at FROM storage_removed `

	rows, err := s.pool.Query(ctx, query+which, args)
	if err != nil {
		return nil, translate(err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (volumes.Removed, error) {
		var r volumes.Removed
		err := row.Scan(&r.TenantID, &r.Kind, &r.ID, &r.Entry, &r.By, &r.RemovedAt, &r.PurgeAt)
		r.RemovedAt, r.PurgeAt = r.RemovedAt.UTC(), r.PurgeAt.UTC()
		return r, err
	})
	return found, translate(err)
}

// RemovedEntry returns what was deleted and has that entry.
//
// Errors: KindNotFound.
func (s *Store) RemovedEntry(ctx context.Context, entry string) (volumes.Removed, error) {
	found, err := s.removed(ctx, `WHERE entry = @entry`, pgx.StrictNamedArgs{"entry": entry})
	if err == nil && len(found) == 0 {
		err = pods.NotFound("Nothing deleted has the entry '%s'.", entry)
	}
	if err != nil {
		return volumes.Removed{}, err
	}
	return found[0], nil
}

// Purged forgets what was deleted: its files are gone for good. It succeeds when
// nothing is known of it.
func (s *Store) Purged(ctx context.Context, entry string) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM storage_removed WHERE entry = @entry`, pgx.StrictNamedArgs{"entry": entry})
	return translate(err)
}

// RestoreRemoved gives what was deleted its row back, with its permissions. Its
// files must be in their place again.
//
// Errors: KindNotFound for an unknown entry; KindConflict when the tenant has
// another of that id since.
func (s *Store) RestoreRemoved(ctx context.Context, entry string) (volumes.Ref, error) {
	const forget = `
		DELETE FROM storage_removed WHERE entry = @entry
		RETURNING tenant_id, kind, id, document, permissions`
	const insert = `
		INSERT INTO storage SELECT * FROM jsonb_populate_record(NULL::storage, @document::jsonb || jsonb_build_object(
			'status', 'AVAILABLE', 'worker', '', 'worker_until', NULL, 'removed_by', '', 'keep_seconds', 0,
			'measure_due_at', CASE WHEN @kind::text = 'volume' THEN @now::timestamptz END))`
	const permit = `INSERT INTO storage_permissions SELECT * FROM jsonb_populate_recordset(NULL::storage_permissions, @permissions::jsonb)`

	var ref volumes.Ref
	err := s.inTx(ctx, func(t *tx) error {
		var document, permissions []byte
		err := t.QueryRow(ctx, forget, pgx.StrictNamedArgs{"entry": entry}).Scan(&ref.TenantID, &ref.Kind, &ref.ID, &document, &permissions)
		if errors.Is(err, pgx.ErrNoRows) {
			return pods.NotFound("Nothing deleted has the entry '%s'.", entry)
		}
		if err != nil {
			return err
		}
		if _, err = t.Exec(ctx, insert, pgx.StrictNamedArgs{"document": string(document), "kind": ref.Kind, "now": t.now}); err != nil {
			return err
		}
		_, err = t.Exec(ctx, permit, pgx.StrictNamedArgs{"permissions": string(permissions)})
		return err
	})
	if err != nil {
		return volumes.Ref{}, fmt.Errorf("restore %s: %w", entry, err)
	}
	return ref, nil
}
