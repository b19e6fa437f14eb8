-- Return the revision in force, for logins that may not read its text. Sensitive fields of schedules are masked.
SELECT r.number, r.digest, r.shown ->> 'source' AS source, r.applied_on, r.applied_by, r.message, r.origin, r.shown -> 'overrides' AS overrides
FROM zeke_jobs.in_force AS r
