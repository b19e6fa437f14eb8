-- Put a text, and what is set beside it, in force.
INSERT INTO zeke_jobs.revision (digest, source, applied_by, message, origin, overrides)
VALUES (%(digest)s, %(source)s, %(by)s, %(message)s, %(origin)s, %(overrides)s::jsonb)
RETURNING number
