-- Return failed and cancelled jobs to the queue: one job, or the oldest that match.
SELECT
  r.id::text,
  r.status::text
FROM zeke_jobs.retry(
  CAST(%(id)s AS uuid), CAST(%(task)s AS text), CAST(%(status)s AS text), CAST(%(newer)s AS double precision),
  CAST(%(limit)s AS integer), CAST(%(by)s AS text)) AS r
