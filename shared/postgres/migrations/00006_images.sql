-- +goose Up
CREATE TABLE images (
    key         text        NOT NULL, -- the full name, docker.io/library/nginx
    image       text        NOT NULL, -- the name as it was given
    tenants     text[]      NOT NULL, -- tenant ids, *, ** and -<tenant>
    description text        NOT NULL,
    tenant_id   text        NOT NULL, -- of who added it
    added_by    text        NOT NULL,
    creation_ts timestamptz NOT NULL,

    CONSTRAINT images_pkey PRIMARY KEY (key)
);

-- +goose Down
DROP TABLE images;
