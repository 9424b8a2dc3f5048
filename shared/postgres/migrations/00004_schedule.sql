-- +goose Up
-- When the output of a running pod is collected next, null for not at all, and
-- the time between one collection and the next.
ALTER TABLE log_runs
    ADD COLUMN due_at timestamptz,
    ADD COLUMN wait_seconds integer NOT NULL DEFAULT 10;

CREATE INDEX log_runs_due_idx ON log_runs (due_at) WHERE due_at IS NOT NULL;

INSERT INTO log_runs (tenant_id, pod_id, uid, instance, last_ns, seen, bytes, due_at)
SELECT tenant_id, pod_id, uid, instance, 0, 0, 0, now() FROM pods WHERE status = 'AVAILABLE'
ON CONFLICT ON CONSTRAINT log_runs_pkey DO UPDATE SET due_at = now();

-- What health looks at each tick: pods on their way from one status to another,
-- and those whose time to stop has come.
CREATE INDEX pods_unsettled_idx ON pods (tenant_id, pod_id)
    WHERE status IN ('REQUESTED', 'SPAWNER SETUP', 'CREATING', 'DELETING')
        OR status_requested = 'RESTART'
        OR (status_requested = 'OFF') <> (status = 'STOPPED');
CREATE INDEX pods_time_to_stop_idx ON pods (time_to_stop_ts)
    WHERE status_requested = 'ON' AND time_to_stop_ts IS NOT NULL;

-- +goose Down
DROP INDEX pods_time_to_stop_idx;
DROP INDEX pods_unsettled_idx;
DROP INDEX log_runs_due_idx;
ALTER TABLE log_runs DROP COLUMN wait_seconds, DROP COLUMN due_at;
