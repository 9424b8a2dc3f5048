package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/pods"
)

// maxLogRuns is how many runs of a pod keep their output.
const maxLogRuns = 3

// nanoseconds is how a cursor's time is kept: the database's own times are
// less precise than those of a log.
func nanoseconds(c pods.LogCursor) int64 {
	if c.Last.IsZero() {
		return 0
	}
	return c.Last.UnixNano()
}

func newCursor(nanoseconds int64, seen int) pods.LogCursor {
	if nanoseconds == 0 {
		return pods.LogCursor{Seen: seen}
	}
	return pods.LogCursor{Last: time.Unix(0, nanoseconds).UTC(), Seen: seen}
}

// LogCursor returns how far the output of a run has been stored.
func (s *Store) LogCursor(ctx context.Context, ref pods.Ref) (pods.LogCursor, error) {
	const query = `
		SELECT last_ns, seen FROM log_runs
		WHERE tenant_id = @tenant_id AND pod_id = @pod_id AND uid = @uid AND instance = @instance`

	var last int64
	var seen int
	err := s.pool.QueryRow(ctx, query, refArgs(ref, nil)).Scan(&last, &seen)
	if errors.Is(err, pgx.ErrNoRows) {
		return pods.LogCursor{}, nil
	}
	if err != nil {
		return pods.LogCursor{}, fmt.Errorf("read the log cursor of pod %s: %w", ref.PodID, translate(err))
	}
	return newCursor(last, seen), nil
}

// Logs returns the newest pods.MaxLogBytes of the output of a pod's current
// instance, from the start of a line, and how far it reaches. It is empty
// until the instance has written something.
//
// Errors: KindNotFound.
func (s *Store) Logs(ctx context.Context, tenantID, podID string) (text string, cursor pods.LogCursor, err error) {
	const query = `
		SELECT coalesce(r.last_ns, 0), coalesce(r.seen, 0), coalesce(r.bytes, 0), coalesce(c.text, '')
		FROM pods AS p
		LEFT JOIN log_runs AS r
			ON r.tenant_id = p.tenant_id AND r.pod_id = p.pod_id AND r.uid = p.uid AND r.instance = p.instance
		LEFT JOIN log_chunks AS c
			ON c.tenant_id = r.tenant_id AND c.uid = r.uid AND c.instance = r.instance
		WHERE p.tenant_id = @tenant_id AND p.pod_id = @pod_id
		ORDER BY c.chunk`

	rows, err := s.pool.Query(ctx, query, pgx.StrictNamedArgs{"tenant_id": tenantID, "pod_id": podID})
	if err != nil {
		return "", pods.LogCursor{}, translate(err)
	}
	var all strings.Builder
	var last, size int64
	var seen int
	var chunk string
	tag, err := pgx.ForEachRow(rows, []any{&last, &seen, &size, &chunk}, func() error {
		if all.Len() == 0 {
			all.Grow(int(size))
		}
		all.WriteString(chunk)
		return nil
	})
	if err != nil {
		return "", pods.LogCursor{}, fmt.Errorf("read the logs of pod %s: %w", podID, translate(err))
	}
	if tag.RowsAffected() == 0 {
		return "", pods.LogCursor{}, pods.PodNotFound(podID)
	}
	return pods.NewestLog(all.String()), newCursor(last, seen), nil
}
