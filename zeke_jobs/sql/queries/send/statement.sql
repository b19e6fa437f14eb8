-- Send one job. A program runs this statement with its own database driver.
SELECT zeke_jobs.send(CAST(%(task)s AS text), CAST(%(payload)s AS jsonb), CAST(%(options)s AS jsonb)) AS id
