-- The canonical id for a name or an alias.
SELECT t.id
FROM zeke_jobs.known_task(%(name)s) AS t
