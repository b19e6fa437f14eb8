-- Tasks with jobs past their retention, by the kind of end, and the moment before which those jobs ended.
SELECT o.task, o.status::text AS status, o.before
FROM zeke_jobs.overdue() AS o
ORDER BY o.task, o.status
