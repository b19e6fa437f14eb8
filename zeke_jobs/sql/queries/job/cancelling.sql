-- Of the jobs that this worker holds: those that are being cancelled.
SELECT message_id AS id, extra ->> 'cancel_reason' AS reason
FROM zeke_jobs.queue
WHERE message_id = ANY (%(held)s::uuid[]) AND worker = %(worker)s::uuid AND cancelled_on IS NOT NULL
