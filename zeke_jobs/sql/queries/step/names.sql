-- The steps that a job has behind it, in their order.
SELECT s.name
FROM zeke_jobs.job_step AS s
WHERE s.job = CAST(%(id)s AS uuid)
ORDER BY s.kept_on, s.name
