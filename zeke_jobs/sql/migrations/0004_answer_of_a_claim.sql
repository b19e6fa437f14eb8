-- zeke: breaking
-- A claim answers in named fields, and no longer by rows that are no jobs and by settings of the session.

DROP FUNCTION IF EXISTS zeke_jobs.complete_and_claim(
  uuid, uuid[], bigint[], double precision[], text[], text, text[], integer, integer, integer, text[], boolean, double precision[], integer[],
  integer[], integer[], text[], integer[], bigint);
DROP FUNCTION IF EXISTS zeke_jobs.claim(uuid, text, text[], integer, integer, integer, text[], integer[], integer[], integer[]);
