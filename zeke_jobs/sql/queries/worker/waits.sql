-- Record in which queues this process waits for new jobs, and which limits it has found full.
UPDATE zeke_jobs.worker
SET idle = %(idle)s::text[], limited = %(limited)s::text[]
WHERE id = %(worker)s::uuid
