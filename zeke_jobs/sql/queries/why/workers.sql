-- For each worker process, return whether it can run a task, and how many jobs at once. A chunk (jobs that one call of a handler runs) counts as one job.
SELECT
  w.id, w.host, w.pid,
  CASE WHEN %(task)s = ANY (w.async_tasks) THEN w.places ELSE w.threads END AS threads,
  %(task)s = ANY (w.async_tasks) AS is_async,
  coalesce(b.jobs, 0) AS busy,
  w.stopping, w.alone, w.heartbeat_on, w.lost_after,
  w.heartbeat_on >= zeke_jobs.now() - w.lost_after AS lives,
  w.heartbeat_on < zeke_jobs.now() - w.lost_after / 2 AS silent,
  %(queue)s = ANY (w.queues) AS consumes,
  %(task)s = ANY (w.tasks) AS knows
FROM zeke_jobs.worker AS w
LEFT JOIN (
  SELECT q.worker, count(DISTINCT CASE WHEN c.id IS NULL THEN q.message_id::text ELSE c.id || q.claimed_on END) AS jobs
  FROM zeke_jobs.queue AS q JOIN zeke_jobs.worker AS w ON w.id = q.worker
  LEFT JOIN zeke_jobs.task AS c ON c.id = q.task AND c.chunk IS NOT NULL
  WHERE q.state = 'consumed' AND (q.task = ANY (w.async_tasks)) = (%(task)s = ANY (w.async_tasks))
  GROUP BY q.worker) AS b ON b.worker = w.id
WHERE w.kind = 'worker'
ORDER BY w.started_on
