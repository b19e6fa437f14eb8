-- Return each task and status with jobs to purge, and the time "before": jobs that ended before this time are to be purged.
SELECT o.task, o.status::text AS status, o.before FROM zeke_jobs.overdue() AS o ORDER BY o.task, o.status
