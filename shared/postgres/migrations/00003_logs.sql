-- +goose Up
CREATE TABLE log_runs (
    tenant_id   text    NOT NULL,
    pod_id      text    NOT NULL,
    uid         text    NOT NULL,
    instance    bigint  NOT NULL,
    -- How far the output was read: the newest line's time, in nanoseconds as
    -- Kubernetes gives it (timestamptz holds microseconds), and how many lines
    -- carry that very time.
    last_ns     bigint  NOT NULL,
    seen        integer NOT NULL,
    bytes       bigint  NOT NULL, -- in all chunks of the run

    CONSTRAINT log_runs_pkey PRIMARY KEY (uid, instance),
    CONSTRAINT log_runs_pod_fkey FOREIGN KEY (tenant_id, pod_id)
        REFERENCES pods (tenant_id, pod_id) ON DELETE CASCADE
);

CREATE INDEX log_runs_pod_idx ON log_runs (tenant_id, pod_id);

CREATE TABLE log_chunks (
    tenant_id text    NOT NULL,
    uid       text    NOT NULL,
    instance  bigint  NOT NULL,
    chunk     bigint  NOT NULL, -- counts up within the run
    bytes     integer NOT NULL,
    text      text    NOT NULL, -- whole lines, each with its newline

    CONSTRAINT log_chunks_pkey PRIMARY KEY (uid, instance, chunk),
    CONSTRAINT log_chunks_run_fkey FOREIGN KEY (uid, instance)
        REFERENCES log_runs (uid, instance) ON DELETE CASCADE
);

-- +goose Down
DROP TABLE log_chunks;
DROP TABLE log_runs;
