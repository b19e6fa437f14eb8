-- As plan/payloads, with sensitive fields masked, for readers.
SELECT j.id, j.data AS payload
FROM zeke_jobs.queue AS q
JOIN zeke_jobs.job AS j ON j.id = q.message_id
WHERE q.state = 'queued' AND q.task = %(task)s
ORDER BY q.seq
LIMIT %(limit)s
