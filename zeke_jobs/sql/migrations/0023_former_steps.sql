-- Steps of a claim that have other arguments now.
DROP FUNCTION IF EXISTS zeke_jobs.gate_room(zeke_jobs.gate, timestamptz);
DROP FUNCTION IF EXISTS zeke_jobs.lock_gates(zeke_jobs.candidate[]);
DROP FUNCTION IF EXISTS zeke_jobs.count_rooms(zeke_jobs.candidate[], text, integer, integer, timestamptz);
