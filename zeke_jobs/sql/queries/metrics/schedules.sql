-- For the metrics, return how late the next tick of each schedule is.
SELECT
  s.schedule AS task,
  CASE WHEN s.paused THEN 0 ELSE greatest(0, extract(epoch FROM zeke_jobs.now() - s.next_tick)) END AS schedule_lag_seconds
FROM zeke_jobs.schedule AS s
ORDER BY s.schedule
