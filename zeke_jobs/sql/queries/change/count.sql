-- Return the number of jobs that a change would affect, by task and status.
SELECT c.task, c.status, c.jobs, c.until
FROM zeke_jobs.count_changes(CAST(%(change)s AS text), CAST(%(filter)s AS jsonb), CAST(%(value)s AS jsonb), CAST(%(limit)s AS integer)) AS c
