-- Send one job. The task must still have the revision that the payload was checked against.
SELECT CAST(zeke_jobs.enqueue(
  CAST(%(task)s AS text), CAST(%(revision)s AS integer), CAST(%(payload)s AS jsonb), CAST(%(options)s AS jsonb)) AS text) AS sent
