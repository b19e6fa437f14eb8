-- Return a row if a job has ended. An unknown job counts as ended.
SELECT true WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.job AS j WHERE j.id = CAST(%(id)s AS uuid) AND j.state <= 'active')
