-- Put a text, and what is set beside it, in force. Numbered without gaps, which a sequence would leave where a try was given up;
-- the catalogue's lock is held.
INSERT INTO zeke_jobs.revision (number, digest, source, applied_by, message, origin, overrides)
OVERRIDING SYSTEM VALUE
VALUES ((SELECT coalesce(max(r.number), 0) + 1 FROM zeke_jobs.revision AS r),
  %(digest)s, %(source)s, %(by)s, %(message)s, %(origin)s, %(overrides)s::jsonb)
RETURNING number
