INSERT INTO pods (
    tenant_id, pod_id, site_id, uid, instance, k8s_name, image, template, description, command, arguments,
    environment_variables, volume_mounts, time_to_stop_default, time_to_stop_instance, networking, resources,
    compute_queue, modified, status, status_requested, status_container, status_since, address,
    creation_ts, update_ts, start_instance_ts, time_to_stop_ts
) VALUES
    ('dev', 'old', 'dev', 'uid-old', 3, 'pods-dev-dev-old', 'nginx:1.27', '', 'An old pod', '{sh,-c}', NULL,
     '{"GREETING": "hello"}', '{}', 43200, 600, '{"default": {"protocol": "http", "port": 5000, "url": "old.pods.localhost"}}',
     '{"cpu_request": 250, "mem_limit": 1024}', 'default', '["image"]', 'AVAILABLE', 'ON',
     '{"phase": "Running", "ready": true}', '2026-01-02 03:04:05.678901+00', '10.1.2.3',
     '2026-01-01 00:00:00+00', '2026-01-02 00:00:00+00', '2026-01-02 03:04:00+00', '2026-01-03 00:00:00+00'),
    ('dev2', 'old', 'dev', 'uid-old2', 0, 'pods-dev-dev2-old', '', 'hello', '', NULL, NULL,
     '{}', '{}', -1, NULL, '{}', '{}', '', '[]', 'STOPPED', 'OFF', '{}', '2026-01-01 00:00:00+00', '',
     '2026-01-01 00:00:00+00', '2026-01-01 00:00:00+00', NULL, NULL);

INSERT INTO pod_permissions (tenant_id, pod_id, username, level, position) VALUES
    ('dev', 'old', 'alice', 3, 0), ('dev', 'old', 'bob', 1, 1), ('dev2', 'old', 'alice', 3, 0);

INSERT INTO pod_credentials (tenant_id, pod_id, user_username, user_password, admin_username, admin_password) VALUES
    ('dev', 'old', '\x01aa', '\x01bb', '\x01cc', '\x01dd');

INSERT INTO pod_actions (tenant_id, pod_id, line, occurred_at, text) VALUES
    ('dev', 'old', 1, '2026-01-01 00:00:00+00', 'alice created the pod'),
    ('dev', 'old', 2, '2026-01-02 00:00:00+00', 'status is AVAILABLE');

INSERT INTO tombstones (tenant_id, pod_id, uid, k8s_name, deleted_at) VALUES
    ('dev', 'gone', 'uid-gone', 'pods-dev-dev-gone', '2026-01-02 00:00:00+00');
