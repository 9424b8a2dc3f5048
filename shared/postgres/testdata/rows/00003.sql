INSERT INTO log_runs (tenant_id, pod_id, uid, instance, last_ns, seen, bytes) VALUES
    ('dev', 'old', 'uid-old', 3, 1767322800123456789, 1, 11);

INSERT INTO log_chunks (tenant_id, uid, instance, chunk, bytes, text) VALUES
    ('dev', 'uid-old', 3, 1, 11, E'first line\n');
