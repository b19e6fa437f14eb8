-- The schedules in force, each with what the scheduler reads of it.
SELECT s.schedule, s.options || jsonb_build_object('at', s.cron, 'timezone', s.timezone) AS cron
FROM zeke_jobs.schedule AS s
ORDER BY s.schedule
