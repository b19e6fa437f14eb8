-- Import jobs, and return the ids that the jobs have in pg-boss.
SELECT zeke_jobs.import_jobs(%(source)s::text, %(jobs)s::jsonb, %(by)s::text)::text[] AS taken
