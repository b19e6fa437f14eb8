-- Delete a stored schedule, and return false if the schedule does not exist.
SELECT zeke_jobs.delete_schedule(CAST(%(name)s AS text), CAST(%(by)s AS text)) AS deleted
