-- zeke: breaking
-- Which claimed jobs of a dead worker cannot have started is no longer kept: the order of starts that told it cost short jobs a fifth of
-- their rate, and left half of those that had not started marked all the same.

DROP FUNCTION IF EXISTS zeke_jobs.complete_and_claim(
  uuid, uuid[], bigint[], double precision[], text[], text, text[], integer, integer, integer, text[], boolean, double precision[], integer[],
  integer[], integer[], text[], integer[], bigint, integer);
DROP FUNCTION IF EXISTS zeke_jobs.claim(
  uuid, text, text[], integer, integer, integer, text[], integer[], integer[], integer[], integer);

ALTER TABLE zeke_jobs.queue
  DROP COLUMN turn,
  DROP COLUMN behind;

DROP SEQUENCE zeke_jobs.turn;
