-- Ask to be notified when jobs are sent to these queues, and when an ended job lets these limits start another.
UPDATE zeke_jobs.worker
SET idle = %(idle)s::text[], limited = %(limited)s::text[]
WHERE id = %(worker)s::uuid
