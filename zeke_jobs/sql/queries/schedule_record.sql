-- Write down what became of a tick. A backfill may send what was skipped.
INSERT INTO zeke_jobs.tick AS t (task, scheduled_for, outcome, reason, origin, job)
VALUES (%(task)s, %(scheduled_for)s, %(outcome)s, %(reason)s, %(origin)s, %(job)s::uuid)
ON CONFLICT (task, scheduled_for) DO UPDATE
SET outcome = excluded.outcome, reason = excluded.reason, origin = excluded.origin, job = excluded.job,
  decided_on = excluded.decided_on
WHERE t.outcome = 'skipped' AND excluded.origin = 'backfill'
