-- Forget a stored schedule; false where there is none.
SELECT zeke_jobs.delete_schedule(CAST(%(name)s AS text), CAST(%(by)s AS text)) AS deleted
