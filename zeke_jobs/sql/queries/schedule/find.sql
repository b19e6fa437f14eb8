-- The id of the task that has this name or alias.
SELECT t.id
FROM zeke_jobs.known_task(%(name)s) AS t
