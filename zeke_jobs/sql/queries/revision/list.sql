-- Return the newest revisions, without their texts.
SELECT number, digest, applied_on, applied_by, message, origin, overrides
FROM zeke_jobs.revision
ORDER BY number DESC LIMIT %(limit)s
