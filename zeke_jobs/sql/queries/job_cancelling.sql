-- Jobs of this worker that somebody cancelled.
SELECT message_id AS id, cancel_reason AS reason
FROM zeke_jobs.queue
WHERE worker = %(worker)s::uuid AND state = 'consumed' AND cancelled_on IS NOT NULL
