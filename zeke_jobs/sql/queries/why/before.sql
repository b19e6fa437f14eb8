-- For a job in strict order, return the first job of the same key, unless the job itself is the first.
SELECT b.id, b.task, b.status, b.run_at, b.since FROM zeke_jobs.job_before AS b WHERE b.job = %(id)s::uuid
