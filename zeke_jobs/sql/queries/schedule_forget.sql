-- Forget how far schedules had come that left jobs.yaml.
DELETE FROM zeke_jobs.schedule_state AS s
WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.task AS t WHERE t.id = s.task AND t.cron IS NOT NULL)
