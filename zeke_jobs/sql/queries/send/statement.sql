-- Send one job over a driver that the caller runs by itself.
SELECT zeke_jobs.send(CAST(%(task)s AS text), CAST(%(payload)s AS jsonb), CAST(%(options)s AS jsonb)) AS id
