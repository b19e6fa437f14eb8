-- Record why a process does not use the revision in force; NULL: it does.
UPDATE zeke_jobs.worker
SET refusal = %(refusal)s
WHERE id = %(worker)s::uuid
