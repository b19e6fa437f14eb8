-- Import jobs, and return the ids of these jobs in pg-boss.
SELECT zeke_jobs.import_jobs(%(source)s::text, %(jobs)s::jsonb, %(by)s::text)::text[] AS taken
