-- Ask to be notified of sends to these queues and of ends that make room in these limits.
UPDATE zeke_jobs.worker
SET idle = %(idle)s::text[], limited = %(limited)s::text[]
WHERE id = %(worker)s::uuid
