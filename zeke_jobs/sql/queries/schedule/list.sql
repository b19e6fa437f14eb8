-- Return the schedules in force, with all columns that commands show.
SELECT
  schedule, task, key, cron, timezone, payload, options, last_tick, last_outcome, last_reason, last_job, last_result, next_tick, paused,
  paused_by, paused_on, pause_reason
FROM zeke_jobs.schedule
ORDER BY schedule
