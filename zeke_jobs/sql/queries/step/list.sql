-- Return the finished steps of a job, with their results.
SELECT s.name, s.result::text AS result FROM zeke_jobs.step AS s WHERE s.job = %(id)s::uuid
