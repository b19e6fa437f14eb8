-- Exported figures of each task.
SELECT
  d.task,
  d.queue,
  d.queued,
  d.active,
  d.active_limit,
  coalesce(extract(epoch FROM w.wait), 0)::double precision AS oldest_wait,
  extract(epoch FROM w.max_wait)::double precision AS max_wait,
  w.is_late,
  w.paused,
  p.done_per_minute,
  p.failed_per_minute,
  p.p50,
  p.p95,
  f.failed,
  s.processes,
  s.threads
FROM zeke_jobs.task_depth AS d
JOIN zeke_jobs.task_wait AS w ON w.task = d.task
JOIN zeke_jobs.task_pace AS p ON p.task = d.task
JOIN zeke_jobs.task_failed AS f ON f.task = d.task
JOIN zeke_jobs.task_served AS s ON s.task = d.task
ORDER BY d.task
