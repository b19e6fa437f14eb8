-- Write down what became of a tick. A backfill may send what was skipped.
SELECT zeke_jobs.record_tick(%(task)s, %(scheduled_for)s, %(outcome)s, %(reason)s, %(origin)s, %(job)s::uuid)
