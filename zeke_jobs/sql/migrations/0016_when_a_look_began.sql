-- A look says when it began: a worker knows from it how late its handlers may have started.

DROP FUNCTION IF EXISTS zeke_jobs.complete_and_claim(
  uuid, uuid[], bigint[], double precision[], text[], text, text[], integer, integer, integer, text[], boolean, double precision[], integer[],
  integer[], integer[], text[], integer[], bigint);
