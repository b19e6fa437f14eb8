-- Rung for, and no thread is free: let the others that wait look.
SELECT zeke_jobs.ring(%(queue)s, %(worker)s::uuid)
