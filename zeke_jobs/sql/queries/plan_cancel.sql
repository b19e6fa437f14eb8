-- Cancel all unfinished jobs of a task that is being removed, under all its names: queued ones at once, active ones are stopped by their
-- workers.
WITH cancelled AS (
  UPDATE zeke_jobs.queue AS q
  SET
    cancelled_on = coalesce(q.cancelled_on, zeke_jobs.now()),
    cancelled_by = CASE WHEN q.cancelled_on IS NULL THEN %(by)s::text ELSE q.cancelled_by END,
    cancel_reason = coalesce(q.cancel_reason, %(reason)s),
    completed_on = CASE q.state WHEN 'queued' THEN zeke_jobs.now() END,
    mtime = zeke_jobs.now(),
    state = CASE q.state WHEN 'queued' THEN 'rejected' ELSE q.state END
  WHERE q.task = ANY (
      %(task)s::text || coalesce((SELECT t.aliases FROM zeke_jobs.task AS t WHERE t.id = %(task)s), '{}'))
    AND q.state IN ('queued', 'consumed')
  RETURNING q.message_id, q.state, q.awaited
),
announced AS (
  SELECT pg_notify(CASE c.state WHEN 'rejected' THEN 'zeke_jobs.done' ELSE 'zeke_jobs.cancel' END, c.message_id::text)
  FROM cancelled AS c
  WHERE c.awaited OR c.state = 'consumed'
)
SELECT count(*) AS jobs
FROM cancelled
WHERE (SELECT count(*) FROM announced) >= 0
