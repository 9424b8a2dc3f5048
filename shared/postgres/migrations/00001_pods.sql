-- +goose Up
CREATE TABLE pods (
    tenant_id             text        NOT NULL,
    pod_id                text        NOT NULL,
    site_id               text        NOT NULL,
    uid                   text        NOT NULL,
    instance              bigint      NOT NULL CHECK (instance >= 0),
    k8s_name              text        NOT NULL,

    image                 text        NOT NULL,
    template              text        NOT NULL,
    description           text        NOT NULL,
    command               text[],                -- null leaves the image's own
    arguments             text[],                -- null leaves the image's own
    environment_variables jsonb       NOT NULL,
    volume_mounts         jsonb       NOT NULL,
    time_to_stop_default  bigint      NOT NULL,  -- seconds; -1 means never
    time_to_stop_instance bigint,                -- seconds
    networking            jsonb       NOT NULL,
    resources             jsonb       NOT NULL,
    compute_queue         text        NOT NULL,
    modified              jsonb       NOT NULL,

    status                text        NOT NULL CHECK (status IN (
        'REQUESTED', 'SPAWNER SETUP', 'CREATING', 'AVAILABLE', 'COMPLETE', 'ERROR', 'DELETING', 'STOPPED')),
    status_requested      text        NOT NULL CHECK (status_requested IN ('ON', 'OFF', 'RESTART')),
    status_container      jsonb       NOT NULL,
    status_since          timestamptz NOT NULL,
    address               text        NOT NULL,
    creation_ts           timestamptz NOT NULL,
    update_ts             timestamptz NOT NULL,
    start_instance_ts     timestamptz,
    time_to_stop_ts       timestamptz,

    CONSTRAINT pods_pkey PRIMARY KEY (tenant_id, pod_id),
    CONSTRAINT pods_uid_key UNIQUE (uid),
    CONSTRAINT pods_k8s_name_key UNIQUE (k8s_name)
);

-- What health looks at each tick: everything that is not at rest.
CREATE INDEX pods_active_idx ON pods (tenant_id, pod_id)
    WHERE NOT (status = 'STOPPED' AND status_requested = 'OFF');

CREATE TABLE pod_permissions (
    tenant_id text     NOT NULL,
    pod_id    text     NOT NULL,
    username  text     NOT NULL,
    level     smallint NOT NULL CHECK (level BETWEEN 1 AND 3), -- READ, USER, ADMIN
    position  integer  NOT NULL, -- the order in which users see the entries

    CONSTRAINT pod_permissions_pkey PRIMARY KEY (tenant_id, pod_id, username),
    CONSTRAINT pod_permissions_pod_fkey FOREIGN KEY (tenant_id, pod_id)
        REFERENCES pods (tenant_id, pod_id) ON DELETE CASCADE
);

CREATE INDEX pod_permissions_user_idx ON pod_permissions (tenant_id, username);

-- Each value is sealed for itself: see credentials.go.
CREATE TABLE pod_credentials (
    tenant_id      text  NOT NULL,
    pod_id         text  NOT NULL,
    user_username  bytea NOT NULL,
    user_password  bytea NOT NULL,
    admin_username bytea NOT NULL,
    admin_password bytea NOT NULL,

    CONSTRAINT pod_credentials_pkey PRIMARY KEY (tenant_id, pod_id),
    CONSTRAINT pod_credentials_pod_fkey FOREIGN KEY (tenant_id, pod_id)
        REFERENCES pods (tenant_id, pod_id) ON DELETE CASCADE
);

CREATE TABLE pod_actions (
    tenant_id   text        NOT NULL,
    pod_id      text        NOT NULL,
    line        bigint      NOT NULL, -- counts from 1, the pod's creation
    occurred_at timestamptz NOT NULL,
    text        text        NOT NULL,

    CONSTRAINT pod_actions_pkey PRIMARY KEY (tenant_id, pod_id, line),
    CONSTRAINT pod_actions_pod_fkey FOREIGN KEY (tenant_id, pod_id)
        REFERENCES pods (tenant_id, pod_id) ON DELETE CASCADE
);

-- Deleted pods whose cluster objects may still be there.
CREATE TABLE tombstones (
    tenant_id  text        NOT NULL,
    pod_id     text        NOT NULL,
    uid        text        NOT NULL,
    k8s_name   text        NOT NULL,
    deleted_at timestamptz NOT NULL,

    CONSTRAINT tombstones_pkey PRIMARY KEY (uid)
);

CREATE INDEX tombstones_k8s_name_idx ON tombstones (k8s_name);

-- +goose Down
DROP TABLE tombstones;
DROP TABLE pod_actions;
DROP TABLE pod_credentials;
DROP TABLE pod_permissions;
DROP TABLE pods;
