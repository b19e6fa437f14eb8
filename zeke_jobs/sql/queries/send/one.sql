-- Send one job; the task must still have the revision that the payload was checked against.
SELECT
  e.outcome,
  e.job_id::text,
  e.status::text
FROM zeke_jobs.enqueue(
  CAST(%(task)s AS text), CAST(%(revision)s AS integer), CAST(%(payload)s AS jsonb), CAST(%(options)s AS jsonb)) AS e
