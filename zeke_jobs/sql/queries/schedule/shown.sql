-- Return the schedules in force of one task or of all tasks, with the columns that the Python function zeke_jobs.schedules.list returns.
SELECT
  s.schedule, s.task, s.cron, s.timezone, s.payload::text, s.key, s.last_tick, s.last_outcome, s.last_job::text,
  s.paused
FROM zeke_jobs.schedule AS s WHERE CAST(%(task)s AS text) IS NULL OR s.task = CAST(%(task)s AS text)
ORDER BY s.schedule
