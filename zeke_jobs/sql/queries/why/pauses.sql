-- Return the pauses that hold back the jobs of a task.
SELECT p.target, p.paused_by, p.paused_on, p.reason
FROM zeke_jobs.task_pause AS p WHERE p.task = %(task)s
ORDER BY p.paused_on, p.target
