-- Pause a task, queue, shared limit or schedule. An existing pause is kept.
SELECT zeke_jobs.pause(%(target)s, %(by)s, %(reason)s) AS changed
