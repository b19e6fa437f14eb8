-- Return payloads of a task's queued jobs, the oldest first.
SELECT message_id AS id, message -> 'kwargs' AS payload
FROM zeke_jobs.queue WHERE state = 'queued' AND task = %(task)s
ORDER BY seq LIMIT %(limit)s
