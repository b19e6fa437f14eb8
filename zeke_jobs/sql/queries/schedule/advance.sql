-- Record the time up to which a schedule's jobs were sent or skipped, and the cron line that gave the times of these jobs.
SELECT zeke_jobs.advance_schedule(%(task)s, %(cron)s, %(timezone)s, %(decided_to)s, %(next_tick)s::timestamptz)
