-- The canonical id for a name or an alias.
SELECT t.id
FROM zeke_jobs.find_task(%(name)s) AS t
WHERE t.id IS NOT NULL
