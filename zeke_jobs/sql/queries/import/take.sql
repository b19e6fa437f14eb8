-- Take jobs over; answers their ids in the other system.
SELECT zeke_jobs.import_jobs(%(source)s::text, %(jobs)s::jsonb, %(by)s::text)::text[] AS taken
