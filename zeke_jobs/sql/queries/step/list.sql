-- The steps that a job has behind it, with their results.
SELECT s.name, s.result::text AS result
FROM zeke_jobs.step AS s
WHERE s.job = %(id)s::uuid
