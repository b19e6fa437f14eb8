-- Worker processes, from the view of one task.
SELECT
  w.id,
  w.host,
  w.pid,
  w.threads,
  coalesce(b.jobs, 0) AS busy,
  w.stopping,
  w.alone,
  w.heartbeat_on,
  w.lost_after,
  %(queue)s = ANY (w.queues) AS consumes,
  %(task)s = ANY (w.tasks) AS knows
FROM zeke_jobs.worker AS w
LEFT JOIN (
  SELECT q.worker, count(*) AS jobs FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' GROUP BY q.worker) AS b ON b.worker = w.id
WHERE w.kind = 'worker'
ORDER BY w.started_on
