INSERT INTO storage (
    tenant_id, kind, id, site_id, description, size_limit, status, added_by, creation_ts, update_ts, bytes, files,
    measured_at, measure_due_at, source_volume_id, source_volume_path, cron, retention_policy, next_due_at)
VALUES
    ('dev', 'volume', 'old', 'dev', 'an old one', 1024, 'AVAILABLE', 'alice', '2026-03-01T10:00:00Z', '2026-03-01T10:00:00Z', 4096, 1,
     '2026-03-01T10:10:00Z', '2026-03-01T10:20:00Z', '', '', '', '', NULL),
    ('dev', 'snapshot', 'old', 'dev', '', 1024, 'AVAILABLE', 'alice', '2026-03-01T10:00:00Z', '2026-03-01T10:00:00Z', 0, 0,
     NULL, NULL, 'old', '/', '0 3 * * *', 'keep_last=3', '2026-03-02T03:00:00Z');

INSERT INTO storage_permissions (tenant_id, kind, id, username, level, position) VALUES
    ('dev', 'volume', 'old', 'alice', 3, 1), ('dev', 'snapshot', 'old', 'alice', 3, 1);

INSERT INTO storage_removed (entry, tenant_id, kind, id, removed_by, removed_at, purge_at, document, permissions)
VALUES ('gone', 'dev', 'volume', 'gone', 'alice', '2026-03-01T10:00:00Z', '2026-03-08T10:00:00Z', '{"id": "gone"}', '[]');
