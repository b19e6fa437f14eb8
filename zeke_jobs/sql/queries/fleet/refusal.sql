-- Record why a process does not use the revision of jobs.yaml in force; the reason is NULL if the process uses that revision.
UPDATE zeke_jobs.worker
SET refusal = %(refusal)s
WHERE id = %(worker)s::uuid
