-- Cancel jobs in pg-boss that were taken over.
SELECT zeke_jobs.pg_boss_cancel(%(schema)s::text, %(jobs)s::uuid[])
