package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/pods"
)

// minChunk is the size up to which the newest chunk is extended, so that a pod
// that writes little at a time does not fill the table with tiny rows. It
// bounds what one call writes beyond its own text.
const minChunk = 4 << 10

// AppendLogs adds chunk to the output of a run whose cursor is still from, and
// makes it to. It takes output of the pod's current instance and, as it may
// come late, of the one before. A call costs in proportion to its text. What
// exceeds pods.MaxLogBytes is dropped from the oldest end, and so is the output
// of all but the last three runs.
//
// Errors: KindConflict when somebody else has moved the cursor, KindNotFound
// when the pod is gone or the run is older.
func (s *Store) AppendLogs(ctx context.Context, ref pods.Ref, from pods.LogCursor, chunk pods.LogChunk, to pods.LogCursor) error {
	err := s.inTx(ctx, func(t *tx) error {
		if err := t.openRun(ctx, ref); err != nil {
			return err
		}
		text := storable(chunk.Text)
		total, err := t.moveCursor(ctx, ref, from, to, len(text))
		if err != nil || text == "" {
			return err
		}
		if err := t.appendText(ctx, ref, text); err != nil {
			return err
		}
		if total > pods.MaxLogBytes {
			return t.trimRun(ctx, ref, total-pods.MaxLogBytes)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("append to the logs of pod %s: %w", ref.PodID, err)
	}
	return nil
}

// openRun makes sure that a run may take output and has a row.
func (t *tx) openRun(ctx context.Context, ref pods.Ref) error {
	const check = `
		SELECT instance FROM pods
		WHERE tenant_id = @tenant_id AND pod_id = @pod_id AND uid = @uid
		FOR KEY SHARE`
	const open = `
		INSERT INTO log_runs (tenant_id, pod_id, uid, instance, last_ns, seen, bytes)
		VALUES (@tenant_id, @pod_id, @uid, @instance, 0, 0, 0)
		ON CONFLICT ON CONSTRAINT log_runs_pkey DO NOTHING`

	pod := pgx.StrictNamedArgs{"tenant_id": ref.TenantID, "pod_id": ref.PodID, "uid": ref.UID}
	var current int64
	err := t.QueryRow(ctx, check, pod).Scan(&current)
	if errors.Is(err, pgx.ErrNoRows) {
		return pods.PodNotFound(ref.PodID)
	}
	if err != nil {
		return err
	}
	if ref.Instance < 1 || ref.Instance > current || ref.Instance < current-1 {
		return pods.NotFound("run %d of pod %s takes no output", ref.Instance, ref.PodID)
	}
	opened, err := t.Exec(ctx, open, refArgs(ref, nil))
	if err != nil || opened.RowsAffected() == 0 {
		return err
	}
	_, err = t.Exec(ctx, forgetRuns, forgetRunsArgs(ref, current))
	return err
}

// forgetRuns drops the output of all but the newest maxLogRuns runs of a pod.
const forgetRuns = `
	DELETE FROM log_runs
	WHERE tenant_id = @tenant_id AND pod_id = @pod_id AND uid = @uid AND instance <= @newest_forgotten`

func forgetRunsArgs(ref pods.Ref, current int64) pgx.StrictNamedArgs {
	return pgx.StrictNamedArgs{
		"tenant_id": ref.TenantID, "pod_id": ref.PodID, "uid": ref.UID, "newest_forgotten": current - maxLogRuns,
	}
}

// moveCursor takes the cursor of a run from one place to another and returns
// how many bytes the run has once size more are added.
func (t *tx) moveCursor(ctx context.Context, ref pods.Ref, from, to pods.LogCursor, size int) (total int64, err error) {
	const query = `
		UPDATE log_runs SET last_ns = @to_ns, seen = @to_seen, bytes = bytes + @size
		WHERE tenant_id = @tenant_id AND pod_id = @pod_id AND uid = @uid AND instance = @instance
			AND last_ns = @from_ns AND seen = @from_seen
		RETURNING bytes`

	args := refArgs(ref, pgx.StrictNamedArgs{
		"from_ns": nanoseconds(from), "from_seen": from.Seen,
		"to_ns": nanoseconds(to), "to_seen": to.Seen, "size": size,
	})
	err = t.QueryRow(ctx, query, args).Scan(&total)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, pods.Conflict("the log of pod %s has moved on", ref.PodID)
	}
	return total, err
}

// appendText adds text after the newest chunk, or to it while it is small. The
// run's row is locked.
func (t *tx) appendText(ctx context.Context, ref pods.Ref, text string) error {
	const find = `
		SELECT chunk, bytes FROM log_chunks
		WHERE tenant_id = @tenant_id AND uid = @uid AND instance = @instance
		ORDER BY chunk DESC LIMIT 1`
	const extend = `
		UPDATE log_chunks SET text = text || @text, bytes = bytes + @bytes
		WHERE tenant_id = @tenant_id AND uid = @uid AND instance = @instance AND chunk = @chunk`
	const insert = `
		INSERT INTO log_chunks (tenant_id, uid, instance, chunk, bytes, text)
		VALUES (@tenant_id, @uid, @instance, @chunk, @bytes, @text)`

	var newest, size int64
	err := t.QueryRow(ctx, find, runArgs(ref, nil)).Scan(&newest, &size)
	isFirst := errors.Is(err, pgx.ErrNoRows)
	if err != nil && !isFirst {
		return err
	}
	query := extend
	if isFirst || size >= minChunk {
		query = insert
		newest++
	}
	_, err = t.Exec(ctx, query, runArgs(ref, pgx.StrictNamedArgs{"chunk": newest, "bytes": len(text), "text": text}))
	return err
}

// trimRun drops whole chunks from the oldest end of a run, excess bytes at the
// most. All chunks but the newest hold minChunk at least, so it looks at no
// more of them than excess calls for.
func (t *tx) trimRun(ctx context.Context, ref pods.Ref, excess int64) error {
	const query = `
		WITH oldest AS (
			SELECT chunk, bytes FROM log_chunks
			WHERE tenant_id = @tenant_id AND uid = @uid AND instance = @instance
			ORDER BY chunk LIMIT @limit
		), summed AS (
			SELECT chunk, sum(bytes) OVER (ORDER BY chunk) AS freed FROM oldest
		), dropped AS (
			DELETE FROM log_chunks AS c USING summed
			WHERE c.tenant_id = @tenant_id AND c.uid = @uid AND c.instance = @instance
				AND c.chunk = summed.chunk AND summed.freed <= @excess
			RETURNING c.bytes
		)
		UPDATE log_runs SET bytes = bytes - (SELECT coalesce(sum(bytes), 0) FROM dropped)
		WHERE tenant_id = @tenant_id AND uid = @uid AND instance = @instance`

	_, err := t.Exec(ctx, query, runArgs(ref, pgx.StrictNamedArgs{
		"excess": excess, "limit": excess/minChunk + 1,
	}))
	return err
}

func runArgs(ref pods.Ref, more pgx.StrictNamedArgs) pgx.StrictNamedArgs {
	args := refArgs(ref, more)
	delete(args, "pod_id") // chunks go by uid
	return args
}
