-- The revision in force.
SELECT number, digest, source, applied_on, applied_by, message, origin, overrides
FROM zeke_jobs.revision
ORDER BY number DESC LIMIT 1
