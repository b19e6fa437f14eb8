-- Write down how far a schedule has come, and by which line.
UPDATE zeke_jobs.schedule_state
SET cron = %(cron)s, timezone = %(timezone)s, decided_to = %(decided_to)s, next_tick = %(next_tick)s
WHERE task = %(task)s
