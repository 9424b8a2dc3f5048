-- +goose Up
-- Templates and their tags are of the site, not of one tenant: who may see one
-- is for its permissions to say.
CREATE TABLE templates (
    template_id     text        NOT NULL,
    tenant_id       text        NOT NULL, -- of who made it; empty for those that the service ships
    site_id         text        NOT NULL, -- likewise
    description     text        NOT NULL,
    metatags        text[]      NOT NULL,
    archive_message text        NOT NULL,
    profile         text        NOT NULL CHECK (profile IN ('restricted', 'root')),
    creation_ts     timestamptz NOT NULL,
    update_ts       timestamptz NOT NULL,

    CONSTRAINT templates_pkey PRIMARY KEY (template_id)
);

CREATE TABLE template_permissions (
    template_id text     NOT NULL,
    key         text     NOT NULL, -- a user of the template's tenant, TENANT, SITE, tenant.<id> or **
    level       smallint NOT NULL CHECK (level BETWEEN 1 AND 3), -- READ, USER, ADMIN
    position    integer  NOT NULL, -- the order in which users see the entries

    CONSTRAINT template_permissions_pkey PRIMARY KEY (template_id, key),
    CONSTRAINT template_permissions_template_fkey FOREIGN KEY (template_id)
        REFERENCES templates (template_id) ON DELETE CASCADE
);

CREATE TABLE template_tags (
    template_id    text        NOT NULL,
    tag            text        NOT NULL,
    stamp          text        NOT NULL, -- YYYY-MM-DD-HH:MM:SS, UTC
    definition     jsonb       NOT NULL,
    commit_message text        NOT NULL,
    added_by       text        NOT NULL,
    creation_ts    timestamptz NOT NULL,

    CONSTRAINT template_tags_pkey PRIMARY KEY (template_id, tag, stamp),
    CONSTRAINT template_tags_template_fkey FOREIGN KEY (template_id)
        REFERENCES templates (template_id) ON DELETE CASCADE
);

-- What is built on a tag: other tags, and pods.
CREATE INDEX template_tags_base_idx ON template_tags ((definition ->> 'template'));
CREATE INDEX pods_template_idx ON pods (template) WHERE template <> '';

-- +goose Down
DROP INDEX pods_template_idx;
DROP TABLE template_tags;
DROP TABLE template_permissions;
DROP TABLE templates;
