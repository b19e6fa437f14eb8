-- zeke: breaking
-- What counted a limit's room before meters did.

DROP FUNCTION IF EXISTS zeke_jobs.active_room(zeke_jobs.gate);
DROP FUNCTION IF EXISTS zeke_jobs.rate_room(zeke_jobs.gate, timestamptz);
