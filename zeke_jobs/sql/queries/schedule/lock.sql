-- Create the row of a schedule's state if it is missing, and lock the row for this transaction, so that only one scheduler at a time handles the schedule.
SELECT s.cron, s.timezone, s.decided_to
FROM zeke_jobs.lock_schedule(%(task)s, %(cron)s, %(timezone)s, %(decided_to)s) AS s
