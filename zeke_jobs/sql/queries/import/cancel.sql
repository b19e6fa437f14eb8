-- Cancel jobs of a pg-boss that are taken over.
SELECT zeke_jobs.pg_boss_cancel(%(schema)s::text, %(jobs)s::uuid[])
