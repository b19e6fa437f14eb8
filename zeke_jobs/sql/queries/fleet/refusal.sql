-- Record why a process does not use the revision in force, or NULL if the process uses it.
UPDATE zeke_jobs.worker
SET refusal = %(refusal)s
WHERE id = %(worker)s::uuid
