-- +goose Up
-- The user who last asked for a start: whose permission counts for what a
-- template mounts.
ALTER TABLE pods ADD COLUMN started_by text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE pods DROP COLUMN started_by;
