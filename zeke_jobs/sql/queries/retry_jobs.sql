-- Return failed and cancelled jobs to the queue, with their history and a fresh retry limit: the one named, or the oldest that
-- match. One named that waits for its next attempt gets it now. Rings the doorbell of their queues.
WITH chosen AS (
  SELECT q.message_id
  FROM zeke_jobs.queue AS q
  WHERE (q.message_id = CAST(%(id)s AS uuid) AND (q.state = 'rejected' OR q.state = 'queued' AND q.attempt > 0))
    OR (
      CAST(%(id)s AS uuid) IS NULL
      AND q.state = 'rejected'
      AND (CAST(%(task)s AS text) IS NULL
        OR q.task = (SELECT coalesce(max(t.id), CAST(%(task)s AS text)) FROM zeke_jobs.find_task(CAST(%(task)s AS text)) AS t))
      AND (q.cancelled_on IS NOT NULL) = (CAST(%(status)s AS text) = 'cancelled')
      AND (CAST(%(newer)s AS double precision) IS NULL
        OR q.completed_on > zeke_jobs.now() - make_interval(secs => CAST(%(newer)s AS double precision)))
    )
  ORDER BY q.completed_on
  LIMIT CAST(%(limit)s AS integer)
  FOR UPDATE
),
retried AS (
  UPDATE zeke_jobs.queue AS q
  SET
    state = 'queued',
    attempt_base = q.attempt,
    deaths = 0,
    run_at = zeke_jobs.now(),
    mtime = zeke_jobs.now(),
    worker = NULL,
    started_on = NULL,
    completed_on = NULL,
    expires_on = NULL,
    cancelled_on = NULL,
    cancelled_by = NULL,
    cancel_reason = NULL,
    waiting_for = NULL,
    progress = NULL,
    result = NULL
  FROM chosen AS c
  WHERE q.message_id = c.message_id
  RETURNING q.message_id, q.queue_name, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on) AS status
),
rung AS (
  SELECT zeke_jobs.ring(r.queue_name)
  FROM (SELECT DISTINCT queue_name FROM retried) AS r
)
SELECT
  r.message_id::text,
  r.status::text
FROM retried AS r
WHERE (SELECT count(*) FROM rung) >= 0
