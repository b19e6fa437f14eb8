-- Exported figures of schedules.
SELECT
  s.task,
  extract(epoch FROM s.lag)::double precision AS lag,
  extract(epoch FROM s.silence)::double precision AS silence
FROM zeke_jobs.schedule_lag AS s
ORDER BY s.task
