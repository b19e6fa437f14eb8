-- Return for each task and status the time before which a job must have ended to be purged.
SELECT o.task, o.status::text AS status, o.before FROM zeke_jobs.overdue() AS o ORDER BY o.task, o.status
