-- Put a new text in force.
INSERT INTO zeke_jobs.revision (digest, source, applied_by, message)
VALUES (%(digest)s, %(source)s, %(by)s, %(message)s)
RETURNING number
