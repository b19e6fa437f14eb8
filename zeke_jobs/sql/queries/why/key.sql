-- Return the active jobs that share a job's key and task, also under a former name of the task. All jobs of a chunk share one row.
SELECT h.id, h.task, h.host, h.pid, h.since
FROM zeke_jobs.key_holder AS h WHERE h.job = %(id)s::uuid
ORDER BY h.since
