-- Store a step's result if the worker holds the job, and return the stored result. No row means that the worker no longer holds the job.
INSERT INTO zeke_jobs.step AS s (job, name, result)
SELECT q.message_id, %(name)s, %(result)s::jsonb
FROM zeke_jobs.queue AS q WHERE q.message_id = %(id)s::uuid AND q.claim = %(claim)s AND q.worker = %(worker)s::uuid
ON CONFLICT (job, name) DO UPDATE
SET name = excluded.name
RETURNING s.result::text AS result
