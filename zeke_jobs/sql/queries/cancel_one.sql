-- Cancel a queued job at once; mark an active one, which its worker then cancels before it starts, or stops. A finished one stays as it
-- is: no row. Answers the state, and whether an active one is known to have started.
WITH cancelled AS (
  UPDATE zeke_jobs.queue AS q
  SET
    cancelled_on = coalesce(q.cancelled_on, zeke_jobs.now()),
    cancelled_by = CASE WHEN q.cancelled_on IS NULL THEN CAST(%(by)s AS text) ELSE q.cancelled_by END,
    cancel_reason = coalesce(q.cancel_reason, CAST(%(reason)s AS text)),
    completed_on = CASE q.state WHEN 'queued' THEN zeke_jobs.now() END,
    mtime = zeke_jobs.now(),
    state = CASE q.state WHEN 'queued' THEN 'rejected' ELSE q.state END
  WHERE q.message_id = CAST(%(id)s AS uuid)
    AND q.state IN ('queued', 'consumed')
  RETURNING q.message_id, q.state, q.awaited, q.started_on
),
announced AS (
  SELECT pg_notify('zeke_jobs.done', c.message_id::text)
  FROM cancelled AS c
  WHERE c.awaited AND c.state = 'rejected'
),
called AS (
  -- The worker that runs it also looks by itself, once a second.
  SELECT pg_notify('zeke_jobs.cancel', c.message_id::text)
  FROM cancelled AS c
  WHERE c.state = 'consumed'
)
SELECT c.state::text, c.started_on IS NOT NULL AS has_started
FROM cancelled AS c
WHERE (SELECT count(*) FROM announced) >= 0 AND (SELECT count(*) FROM called) >= 0
