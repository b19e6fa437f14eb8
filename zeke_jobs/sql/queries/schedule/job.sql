-- Return the job that a scheduler has sent for a tick.
SELECT message_id AS job
FROM zeke_jobs.queue
WHERE task = %(task)s AND scheduled_for = %(tick)s AND coalesce(extra ->> 'schedule', '') = coalesce(%(schedule)s, '')
