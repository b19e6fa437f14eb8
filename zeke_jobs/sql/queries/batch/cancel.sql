-- Cancel the unfinished jobs of a batch, and the job that the batch would send at its end.
SELECT c.id::text
FROM zeke_jobs.cancel_batch(CAST(%(id)s AS text), CAST(%(reason)s AS text), CAST(%(by)s AS text)) AS c (id)
