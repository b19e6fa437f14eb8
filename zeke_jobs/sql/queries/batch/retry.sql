-- Run the failed jobs of a batch again.
SELECT r.id::text FROM zeke_jobs.retry_batch(CAST(%(id)s AS text), CAST(%(by)s AS text)) AS r (id)
