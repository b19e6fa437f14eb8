-- Cancel jobs in pg-boss that have been imported.
SELECT zeke_jobs.pg_boss_cancel(%(schema)s::text, %(jobs)s::uuid[])
