-- The job that a tick has, whoever sent it.
SELECT message_id AS job
FROM zeke_jobs.queue
WHERE task = %(task)s AND scheduled_for = %(tick)s
