-- This worker's jobs that are being cancelled. A job with a worker is active; a condition on the state would let the planner read the index of
-- all active jobs, with its dead entries.
SELECT message_id AS id, cancel_reason AS reason
FROM zeke_jobs.queue
WHERE worker = %(worker)s::uuid AND cancelled_on IS NOT NULL
