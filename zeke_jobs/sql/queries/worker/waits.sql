-- Ask to be notified when jobs are sent to these queues, and when the ends of jobs make room in these limits.
UPDATE zeke_jobs.worker
SET idle = %(idle)s::text[], limited = %(limited)s::text[]
WHERE id = %(worker)s::uuid
