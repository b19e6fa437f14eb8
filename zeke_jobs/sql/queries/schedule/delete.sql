-- Delete a stored schedule; false if it does not exist.
SELECT zeke_jobs.delete_schedule(CAST(%(name)s AS text), CAST(%(by)s AS text)) AS deleted
