-- Record the time up to which a schedule's ticks are decided, and the cron line by which they are decided.
SELECT zeke_jobs.advance_schedule(%(task)s, %(cron)s, %(timezone)s, %(decided_to)s, %(next_tick)s::timestamptz)
