package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/pods"
)

// scheduleLogs has the output of a pod that has become AVAILABLE collected
// from now on.
func (t *tx) scheduleLogs(pod pods.Pod) {
	const query = `
		INSERT INTO log_runs (tenant_id, pod_id, uid, instance, last_ns, seen, bytes, due_at, wait_seconds)
		VALUES (@tenant_id, @pod_id, @uid, @instance, 0, 0, 0, @due, @wait)
		ON CONFLICT ON CONSTRAINT log_runs_pkey DO UPDATE SET due_at = @due, wait_seconds = @wait`

	t.batch.Queue(query, refArgs(pod.Ref(), pgx.StrictNamedArgs{
		"due": t.now.Add(pods.MinLogWait), "wait": seconds(pods.MinLogWait),
	}))
	t.batch.Queue(forgetRuns, forgetRunsArgs(pod.Ref(), pod.Instance))
}

// LogsDue reports whether the output of any pod is due to be collected.
func (s *Store) LogsDue(ctx context.Context) (due bool, err error) {
	const query = `SELECT EXISTS (SELECT FROM log_runs WHERE due_at <= @now)`

	err = s.pool.QueryRow(ctx, query, pgx.StrictNamedArgs{"now": s.now()}).Scan(&due)
	if err != nil {
		return false, fmt.Errorf("look for logs that are due: %w", translate(err))
	}
	return due, nil
}

// ClaimDueLogs returns up to limit runs whose output is due, the longest due
// first. They are due again after lease, unless LogsCollected says when. Of
// pods that have left AVAILABLE nothing is due any more.
func (s *Store) ClaimDueLogs(ctx context.Context, limit int, lease time.Duration) ([]pods.LogRun, error) {
	const query = `
		WITH due AS (
			SELECT uid, instance FROM log_runs WHERE due_at <= @now
			ORDER BY due_at LIMIT @limit FOR UPDATE SKIP LOCKED
		)
		UPDATE log_runs AS r
		SET due_at = CASE WHEN p.status = 'AVAILABLE' AND p.instance = r.instance THEN @until::timestamptz END
		FROM due JOIN pods AS p ON p.uid = due.uid
		WHERE r.uid = due.uid AND r.instance = due.instance AND r.tenant_id = p.tenant_id
		RETURNING r.due_at IS NOT NULL, r.tenant_id, r.pod_id, r.uid, r.instance, p.k8s_name, r.wait_seconds`

	now := s.now()
	rows, err := s.pool.Query(ctx, query, pgx.StrictNamedArgs{"now": now, "until": now.Add(lease), "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("claim logs that are due: %w", translate(err))
	}
	var claimed []pods.LogRun
	var run pods.LogRun
	var runs bool
	var wait int64
	_, err = pgx.ForEachRow(rows, []any{&runs, &run.TenantID, &run.PodID, &run.UID, &run.Instance, &run.K8sName, &wait}, func() error {
		if runs {
			run.Wait = time.Duration(wait) * time.Second
			claimed = append(claimed, run)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim logs that are due: %w", translate(err))
	}
	return claimed, nil
}

// LogsCollected says that the output of a run has just been collected and is
// to be again after wait. It does nothing when nothing of the run is due any
// more.
func (s *Store) LogsCollected(ctx context.Context, ref pods.Ref, wait time.Duration) error {
	const query = `
		UPDATE log_runs SET due_at = @due, wait_seconds = @wait
		WHERE tenant_id = @tenant_id AND pod_id = @pod_id AND uid = @uid AND instance = @instance AND due_at IS NOT NULL`

	args := refArgs(ref, pgx.StrictNamedArgs{"due": s.now().Add(wait), "wait": seconds(wait)})
	if _, err := s.pool.Exec(ctx, query, args); err != nil {
		return fmt.Errorf("schedule the logs of pod %s: %w", ref.PodID, translate(err))
	}
	return nil
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
