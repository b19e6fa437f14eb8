-- Return the first job of a job's key in strict order, if that is another job.
SELECT b.id, b.task, b.status, b.run_at, b.since FROM zeke_jobs.job_before AS b WHERE b.job = %(id)s::uuid
