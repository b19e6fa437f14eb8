-- Record up to which time a schedule's ticks are decided, and by which cron line.
SELECT zeke_jobs.advance_schedule(%(task)s, %(cron)s, %(timezone)s, %(decided_to)s, %(next_tick)s::timestamptz)
