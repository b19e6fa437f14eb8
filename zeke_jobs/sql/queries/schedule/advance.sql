-- Record how far a schedule has come, and by which line.
SELECT zeke_jobs.advance_schedule(%(task)s, %(cron)s, %(timezone)s, %(decided_to)s, %(next_tick)s::timestamptz)
