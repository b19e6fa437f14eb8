-- For a job in strict order, return the job that comes first for the same key, if that is another job.
SELECT b.id, b.task, b.status, b.run_at, b.since FROM zeke_jobs.job_before AS b WHERE b.job = %(id)s::uuid
