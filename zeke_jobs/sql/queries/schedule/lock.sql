-- Make sure of a schedule's state, and hold it until the transaction ends: whoever decides its ticks decides alone.
SELECT s.cron, s.timezone, s.decided_to
FROM zeke_jobs.lock_schedule(%(task)s, %(cron)s, %(timezone)s, %(decided_to)s) AS s
