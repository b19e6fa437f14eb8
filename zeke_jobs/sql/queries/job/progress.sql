-- How far a job is; only its holder may say so.
UPDATE zeke_jobs.queue
SET progress = %(progress)s::jsonb
WHERE message_id = %(id)s::uuid AND claim = %(claim)s AND worker = %(worker)s::uuid
