-- Return a failed or cancelled job to the queue.
SELECT
  r.id::text,
  r.status::text
FROM zeke_jobs.retry(CAST(%(id)s AS uuid), NULL, NULL, NULL, 1, CAST(%(by)s AS text)) AS r
