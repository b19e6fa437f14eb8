-- One revision.
SELECT number, digest, source, applied_on, applied_by, message, origin, overrides
FROM zeke_jobs.revision WHERE number = %(number)s
