INSERT INTO templates (template_id, tenant_id, site_id, description, metatags, archive_message, profile, creation_ts, update_ts)
VALUES ('old', 'dev', 'dev', 'an old one', '{database}', '', 'restricted', '2026-02-01T10:00:00Z', '2026-02-01T10:00:00Z');

INSERT INTO template_permissions (template_id, key, level, position) VALUES ('old', 'alice', 3, 1), ('old', 'TENANT', 1, 2);

INSERT INTO template_tags (template_id, tag, stamp, definition, commit_message, added_by, creation_ts)
VALUES ('old', 'latest', '2026-02-01-10:00:00', '{"image": "nginx", "resources": {"cpu_request": 500}}', 'first', 'alice', '2026-02-01T10:00:00Z');
