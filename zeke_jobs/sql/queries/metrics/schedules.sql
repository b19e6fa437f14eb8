-- For the metrics, return for each schedule how many seconds its next tick (scheduled time) is overdue.
SELECT
  s.schedule AS task,
  CASE WHEN s.paused THEN 0 ELSE greatest(0, extract(epoch FROM zeke_jobs.now() - s.next_tick)) END AS schedule_lag_seconds
FROM zeke_jobs.schedule AS s
ORDER BY s.schedule
