package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/pods"
)

// ActionLogs returns the lines of a pod's action log, oldest first: the first
// and the newest, pods.MaxActionLogs at the most.
//
// Errors: KindNotFound.
func (s *Store) ActionLogs(ctx context.Context, tenantID, podID string) ([]string, error) {
	const query = `
		SELECT occurred_at, text FROM pod_actions
		WHERE tenant_id = @tenant_id AND pod_id = @pod_id
		ORDER BY line`

	rows, err := s.pool.Query(ctx, query, pgx.StrictNamedArgs{"tenant_id": tenantID, "pod_id": podID})
	if err != nil {
		return nil, translate(err)
	}
	lines, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var at time.Time
		var text string
		err := row.Scan(&at, &text)
		return pods.ActionLine(at, text), err
	})
	if err != nil {
		return nil, translate(err)
	}
	if len(lines) == 0 { // every pod has the line of its creation
		return nil, pods.PodNotFound(podID)
	}
	return lines, nil
}

// AddAction adds a line to a pod's action log, and changes nothing else.
//
// Errors: KindNotFound.
func (s *Store) AddAction(ctx context.Context, tenantID, podID, text string) error {
	const lock = `
		SELECT` + podColumns + `
		FROM pods AS p WHERE p.tenant_id = @tenant_id AND p.pod_id = @pod_id FOR NO KEY UPDATE OF p`

	return s.inTx(ctx, func(t *tx) error {
		_, err := one(ctx, t, lock, pgx.StrictNamedArgs{"tenant_id": tenantID, "pod_id": podID})
		if errors.Is(err, pgx.ErrNoRows) {
			return pods.PodNotFound(podID)
		}
		t.log(tenantID, podID, storable(text))
		return err
	})
}
