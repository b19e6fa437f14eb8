-- Return all targets of a pause: tasks, queues, shared limits and schedules, each with its aliases.
SELECT 'task/' || t.id AS target, t.aliases
FROM zeke_jobs.task AS t
UNION ALL
SELECT DISTINCT 'queue/' || t.queue, '{}'::text[]
FROM zeke_jobs.task AS t
UNION ALL
SELECT b.name, '{}'::text[]
FROM zeke_jobs.bucket AS b WHERE starts_with(b.name, 'limit/') AND b.unit = 'jobs'
UNION ALL
SELECT 'schedule/' || p.schedule, array_remove(p.names, p.schedule)
FROM zeke_jobs.planned AS p
ORDER BY target
