-- Which finished jobs are to be purged: for each task and outcome, the jobs that ended before a time.
SELECT o.task, o.status::text AS status, o.before FROM zeke_jobs.overdue() AS o ORDER BY o.task, o.status
