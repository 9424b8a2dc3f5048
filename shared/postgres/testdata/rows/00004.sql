UPDATE log_runs SET due_at = due_at + interval '5 minutes', wait_seconds = 300 WHERE uid = 'uid-old';
