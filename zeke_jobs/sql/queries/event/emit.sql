-- Send an event to the jobs that wait for it.
SELECT zeke_jobs.emit(CAST(%(name)s AS text), CAST(%(data)s AS jsonb))::text
