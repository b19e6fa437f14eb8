-- Cancel the unfinished jobs of a batch; the job that the batch would send at its end is then not sent.
SELECT c.id::text
FROM zeke_jobs.cancel_batch(CAST(%(id)s AS text), CAST(%(reason)s AS text), CAST(%(by)s AS text)) AS c (id)
