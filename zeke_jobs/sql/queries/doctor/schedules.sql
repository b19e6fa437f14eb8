-- The schedules in force, as the scheduler reads them.
SELECT s.schedule, s.options || jsonb_build_object('at', s.cron, 'timezone', s.timezone) AS cron
FROM zeke_jobs.schedule AS s
ORDER BY s.schedule
