-- Return the active jobs that have the same key and task as a job, even if the task was renamed. A chunk (jobs that one call of a handler runs) has one row.
SELECT h.id, h.task, h.host, h.pid, h.since
FROM zeke_jobs.key_holder AS h WHERE h.job = %(id)s::uuid
ORDER BY h.since
