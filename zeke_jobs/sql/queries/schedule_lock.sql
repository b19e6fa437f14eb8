-- Make sure of a schedule's state, and hold it until the transaction ends: whoever decides its ticks decides alone.
INSERT INTO zeke_jobs.schedule_state AS s (task, cron, timezone, decided_to)
VALUES (%(task)s, %(cron)s, %(timezone)s, %(decided_to)s)
ON CONFLICT (task) DO UPDATE
SET task = excluded.task
RETURNING s.cron, s.timezone, s.decided_to
