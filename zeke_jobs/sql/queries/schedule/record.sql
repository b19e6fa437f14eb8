-- Record the outcome of a tick. A backfill may later send the job of a skipped tick.
SELECT zeke_jobs.record_tick(%(task)s, %(scheduled_for)s, %(outcome)s, %(reason)s, %(origin)s, %(job)s::uuid)
