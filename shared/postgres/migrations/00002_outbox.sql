-- +goose Up
CREATE TABLE outbox (
    seq           bigint      GENERATED ALWAYS AS IDENTITY,
    -- The transaction that wrote the row. A reader that goes by this column
    -- and stops at pg_snapshot_xmin never skips a row that commits late.
    xid           xid8        NOT NULL DEFAULT pg_current_xact_id(),
    tenant_id     text        NOT NULL,
    event_id      text        NOT NULL,
    event         jsonb       NOT NULL, -- a CloudEvent in its JSON format
    created_at    timestamptz NOT NULL,
    claimed_until timestamptz,          -- a relay is sending it until then
    sent_at       timestamptz,

    CONSTRAINT outbox_pkey PRIMARY KEY (seq),
    CONSTRAINT outbox_event_id_key UNIQUE (event_id)
);

CREATE INDEX outbox_unsent_idx ON outbox (seq) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent_idx ON outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE TABLE dead_letters (
    tenant_id    text        NOT NULL, -- empty for events of no tenant
    event_id     text        NOT NULL,
    trigger_name text        NOT NULL,
    event        jsonb       NOT NULL,
    reason       text        NOT NULL,
    attempts     integer     NOT NULL,
    failed_at    timestamptz NOT NULL,

    CONSTRAINT dead_letters_pkey PRIMARY KEY (event_id, trigger_name)
);

CREATE INDEX dead_letters_failed_at_idx ON dead_letters (failed_at);

-- +goose Down
DROP TABLE dead_letters;
DROP TABLE outbox;
