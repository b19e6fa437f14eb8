-- Queued jobs that were sent with a task's own priority follow it.
UPDATE zeke_jobs.queue AS q
SET priority = %(priority)s
WHERE q.state = 'queued' AND q.task = %(task)s AND q.priority = %(old_priority)s
