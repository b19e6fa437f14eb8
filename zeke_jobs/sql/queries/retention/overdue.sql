-- What is past its time: tasks that have such jobs, by how they ended, and the moment before which they must have ended.
SELECT o.task, o.status::text AS status, o.before
FROM zeke_jobs.overdue() AS o
ORDER BY o.task, o.status
