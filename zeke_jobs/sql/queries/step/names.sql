-- Return the names of the finished steps of a job, in the order in which the steps finished.
SELECT s.name FROM zeke_jobs.job_step AS s WHERE s.job = CAST(%(id)s AS uuid) ORDER BY s.kept_on, s.name
