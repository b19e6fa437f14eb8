-- The output of a completed job; no row while it has not completed.
SELECT o.result::text FROM zeke_jobs.output_of(CAST(%(id)s AS uuid)) AS o (result)
