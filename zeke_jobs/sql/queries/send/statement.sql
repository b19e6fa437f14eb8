-- Send one job. The caller runs this statement with its own driver.
SELECT zeke_jobs.send(CAST(%(task)s AS text), CAST(%(payload)s AS jsonb), CAST(%(options)s AS jsonb)) AS id
