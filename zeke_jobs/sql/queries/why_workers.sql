-- Worker processes as one task sees them.
SELECT
  w.id,
  w.host,
  w.pid,
  w.threads,
  (SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.worker = w.id) AS busy,
  w.stopping,
  w.alone,
  w.heartbeat_on,
  w.lost_after,
  %(queue)s = ANY (w.queues) AS consumes,
  %(task)s = ANY (w.tasks) AS knows
FROM zeke_jobs.worker AS w
WHERE w.kind = 'worker'
ORDER BY w.started_on
