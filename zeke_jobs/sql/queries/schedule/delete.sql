-- Delete a stored schedule; false if there is none.
SELECT zeke_jobs.delete_schedule(CAST(%(name)s AS text), CAST(%(by)s AS text)) AS deleted
