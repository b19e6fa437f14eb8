-- Return each pair of task and status that has jobs to purge: these jobs ended before the time in the column "before".
SELECT o.task, o.status::text AS status, o.before FROM zeke_jobs.overdue() AS o ORDER BY o.task, o.status
