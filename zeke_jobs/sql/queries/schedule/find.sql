-- The id of the task with this name or alias.
SELECT t.id
FROM zeke_jobs.known_task(%(name)s) AS t
