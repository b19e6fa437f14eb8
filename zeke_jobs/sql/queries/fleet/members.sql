-- Return the processes, each with the number of its jobs, its revision of jobs.yaml, why it refuses a newer revision, and whether its heartbeat is late.
SELECT
  w.id, w.kind, w.host, w.pid, w.version, w.queues,
  w.threads + CASE WHEN w.async_tasks = '{}' THEN 0 ELSE w.places END AS threads,
  coalesce(b.jobs, 0) AS busy,
  w.revision, w.file_revision, w.refusal, w.stopping, w.started_on AS since, w.heartbeat_on AS heartbeat,
  w.heartbeat_on < zeke_jobs.now() - w.lost_after AS is_late,
  w.heartbeat_on < zeke_jobs.now() - w.lost_after / 2 AS silent,
  f.digest <> (SELECT r.digest FROM zeke_jobs.revision AS r ORDER BY r.number DESC LIMIT 1) AS file_differs
FROM zeke_jobs.worker AS w
LEFT JOIN (
  SELECT q.worker, count(*) AS jobs FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' GROUP BY q.worker) AS b ON b.worker = w.id
LEFT JOIN zeke_jobs.revision AS f ON f.number = w.file_revision
ORDER BY w.kind DESC, w.host, w.started_on
