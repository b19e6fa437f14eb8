-- Return whether jobs.yaml has a schedule for a task.
SELECT t.cron IS NOT NULL AS is_scheduled FROM zeke_jobs.task AS t WHERE t.id = %(task)s::text
