-- +goose Up
-- Volumes and snapshots.
CREATE TABLE storage (
    tenant_id          text        NOT NULL,
    kind               text        NOT NULL CHECK (kind IN ('volume', 'snapshot')),
    id                 text        NOT NULL,
    site_id            text        NOT NULL,
    description        text        NOT NULL,
    size_limit         bigint      NOT NULL, -- MB
    status             text        NOT NULL CHECK (status IN ('CREATING', 'AVAILABLE', 'DELETING')),
    added_by           text        NOT NULL,
    creation_ts        timestamptz NOT NULL,
    update_ts          timestamptz NOT NULL,

    -- Whoever makes or removes the files, and until when nobody else may.
    worker             text        NOT NULL DEFAULT '',
    worker_until       timestamptz,
    removed_by         text        NOT NULL DEFAULT '', -- a user's name, while DELETING
    keep_seconds       bigint      NOT NULL DEFAULT 0,  -- in quarantine, while DELETING

    bytes              bigint      NOT NULL DEFAULT 0,
    files              bigint      NOT NULL DEFAULT 0,
    measured_at        timestamptz,
    measure_due_at     timestamptz,             -- null for what never changes

    -- Of snapshots.
    source_volume_id   text        NOT NULL DEFAULT '',
    source_volume_path text        NOT NULL DEFAULT '',
    destination_path   text        NOT NULL DEFAULT '',
    cron               text        NOT NULL DEFAULT '',
    retention_policy   text        NOT NULL DEFAULT '',
    next_due_at        timestamptz,             -- null for no schedule
    last_due_at        timestamptz,             -- for which a copy was asked last
    last_error         text        NOT NULL DEFAULT '',
    schedule_id        text        NOT NULL DEFAULT '', -- the snapshot whose copy it is
    due_at             timestamptz,             -- the time it is the copy of

    CONSTRAINT storage_pkey PRIMARY KEY (tenant_id, kind, id)
);

CREATE INDEX storage_measure_due_idx ON storage (measure_due_at) WHERE measure_due_at IS NOT NULL;
CREATE INDEX storage_next_due_idx ON storage (next_due_at) WHERE next_due_at IS NOT NULL;
CREATE INDEX storage_worker_idx ON storage (worker_until) WHERE worker_until IS NOT NULL;
CREATE INDEX storage_schedule_idx ON storage (tenant_id, schedule_id) WHERE schedule_id <> '';

CREATE TABLE storage_permissions (
    tenant_id text     NOT NULL,
    kind      text     NOT NULL,
    id        text     NOT NULL,
    username  text     NOT NULL,
    level     smallint NOT NULL CHECK (level BETWEEN 1 AND 3), -- READ, USER, ADMIN
    position  integer  NOT NULL, -- the order in which users see the entries

    CONSTRAINT storage_permissions_pkey PRIMARY KEY (tenant_id, kind, id, username),
    CONSTRAINT storage_permissions_storage_fkey FOREIGN KEY (tenant_id, kind, id)
        REFERENCES storage (tenant_id, kind, id) ON DELETE CASCADE
);

CREATE INDEX storage_permissions_user_idx ON storage_permissions (tenant_id, kind, username);

-- What was deleted and can be restored while its files are in quarantine.
CREATE TABLE storage_removed (
    entry       text        NOT NULL, -- the name of the files in quarantine
    tenant_id   text        NOT NULL,
    kind        text        NOT NULL,
    id          text        NOT NULL,
    removed_by  text        NOT NULL,
    removed_at  timestamptz NOT NULL,
    purge_at    timestamptz NOT NULL,
    document    jsonb       NOT NULL, -- the row of storage
    permissions jsonb       NOT NULL, -- its rows of storage_permissions

    CONSTRAINT storage_removed_pkey PRIMARY KEY (entry)
);

CREATE INDEX storage_removed_purge_idx ON storage_removed (purge_at);

-- +goose Down
DROP TABLE storage_removed;
DROP TABLE storage_permissions;
DROP TABLE storage;
