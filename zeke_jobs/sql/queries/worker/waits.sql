-- Record the queues in which this process waits for new jobs, and the limits that the process has found full.
UPDATE zeke_jobs.worker
SET idle = %(idle)s::text[], limited = %(limited)s::text[]
WHERE id = %(worker)s::uuid
