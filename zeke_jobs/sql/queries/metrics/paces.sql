-- For the metrics, return how many jobs of each task completed and failed, and how long its handlers took. Each quantile of this time has a row of its own.
SELECT p.task, p.queue, v.quantile, v.completed_per_minute, v.failed_per_minute, v.handler_seconds
FROM zeke_jobs.task_pace AS p
CROSS JOIN LATERAL (VALUES
  (NULL, p.done_per_minute, p.failed_per_minute, NULL), ('0.5', NULL, NULL, p.p50), ('0.95', NULL, NULL, p.p95)
) AS v (quantile, completed_per_minute, failed_per_minute, handler_seconds)
ORDER BY p.task
