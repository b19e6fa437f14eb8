-- Return the active jobs, the oldest first. Sensitive fields are masked.
SELECT n.id, n.task, n.since, n.attempt, j.progress, n.is_stopping, n.host, n.pid
FROM (
  SELECT
    q.message_id AS id, q.task,
    coalesce(q.started_on, q.claimed_on) AS since,
    q.attempt,
    q.cancelled_on IS NOT NULL AS is_stopping,
    w.host, w.pid
  FROM zeke_jobs.queue AS q
  LEFT JOIN zeke_jobs.worker AS w ON w.id = q.worker
  WHERE q.state = 'consumed'
  ORDER BY since LIMIT %(most)s) AS n
JOIN zeke_jobs.job AS j ON j.id = n.id
ORDER BY n.since
