INSERT INTO images (key, image, tenants, description, tenant_id, added_by, creation_ts)
VALUES ('docker.io/library/old', 'old', '{**}', 'an old one', 'dev', 'admin', '2026-02-01T10:00:00Z');
