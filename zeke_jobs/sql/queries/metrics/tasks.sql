-- For the metrics, return how many jobs of each task are queued and active, how long the oldest due job waits, and how many workers serve the task.
SELECT
  d.task, d.queue, d.queued, d.active, d.active_limit,
  coalesce(extract(epoch FROM w.wait), 0) AS oldest_wait_seconds,
  extract(epoch FROM w.max_wait) AS max_wait_seconds,
  CASE WHEN w.max_wait IS NOT NULL THEN w.is_late END AS max_wait_breached,
  w.paused,
  (SELECT count(*) FROM (
     SELECT 1 FROM zeke_jobs.queue AS q
     WHERE q.state = 'rejected' AND q.cancelled_on IS NULL AND q.task = d.task AND q.completed_on > zeke_jobs.now() - interval '1 hour'
     LIMIT 10000) AS f) AS failed_last_hour,
  s.serving_processes, s.serving_threads
FROM zeke_jobs.task_depth AS d
JOIN zeke_jobs.task_wait AS w ON w.task = d.task
CROSS JOIN LATERAL (
  SELECT count(*) AS serving_processes, coalesce(sum(CASE WHEN d.task = ANY (w.async_tasks) THEN w.places ELSE w.threads END), 0) AS serving_threads
  FROM zeke_jobs.worker AS w
  WHERE w.kind = 'worker' AND NOT w.stopping AND d.queue = ANY (w.queues) AND d.task = ANY (w.tasks)
    AND w.heartbeat_on >= zeke_jobs.now() - w.lost_after
) AS s
ORDER BY d.task
