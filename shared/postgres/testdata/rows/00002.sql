INSERT INTO outbox (tenant_id, event_id, event, created_at, claimed_until, sent_at) VALUES
    ('dev', 'event-waiting', '{"specversion": "1.0", "id": "event-waiting", "source": "/pods/api", "type": "io.pods.pod.updated.v1"}',
     '2026-01-02 00:00:00+00', NULL, NULL),
    ('dev', 'event-sent', '{"specversion": "1.0", "id": "event-sent", "source": "/pods/api", "type": "io.pods.pod.updated.v1"}',
     '2026-01-02 00:00:00+00', '2026-01-02 00:00:10+00', '2026-01-02 00:00:01+00');

INSERT INTO dead_letters (tenant_id, event_id, trigger_name, event, reason, attempts, failed_at) VALUES
    ('dev', 'event-dead', 'spawner', '{"specversion": "1.0", "id": "event-dead", "source": "/pods/api", "type": "io.pods.pod.requested.v1"}',
     '500 Internal Server Error', 9, '2026-01-02 00:01:00+00');
