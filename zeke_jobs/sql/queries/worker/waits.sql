-- Record the queues whose new jobs this process waits for, and the limits that lately kept it from claiming jobs.
UPDATE zeke_jobs.worker
SET idle = %(idle)s::text[], limited = %(limited)s::text[]
WHERE id = %(worker)s::uuid
