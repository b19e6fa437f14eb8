-- The canonical id for a name or an alias, and whether that task has a schedule.
SELECT t.id, t.cron IS NOT NULL AS scheduled
FROM zeke_jobs.find_task(%(name)s) AS t
WHERE t.id IS NOT NULL
