-- Record the time up to which a schedule's ticks were sent or skipped, and the cron line that these ticks follow.
SELECT zeke_jobs.advance_schedule(%(task)s, %(cron)s, %(timezone)s, %(decided_to)s, %(next_tick)s::timestamptz)
