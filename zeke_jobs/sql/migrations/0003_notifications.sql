-- zeke: breaking
-- A notification names no process: naming one saved nothing that could be measured.

DROP FUNCTION IF EXISTS zeke_jobs.ring_one(text, text);
DROP FUNCTION IF EXISTS zeke_jobs.ring(text, uuid);
