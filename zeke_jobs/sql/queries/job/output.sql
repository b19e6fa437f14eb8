-- Return the output of a completed job, or no row while the job has not completed.
SELECT o.result::text FROM zeke_jobs.output_of(CAST(%(id)s AS uuid)) AS o (result)
