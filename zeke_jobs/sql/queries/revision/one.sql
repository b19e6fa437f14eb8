-- Return one revision, by default the revision in force.
SELECT number, digest, source, applied_on, applied_by, message, origin, overrides
FROM zeke_jobs.revision WHERE %(number)s::integer IS NULL OR number = %(number)s
ORDER BY number DESC LIMIT 1
