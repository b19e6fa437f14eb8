-- Record a job's progress, if the worker holds the job.
UPDATE zeke_jobs.queue
SET extra = coalesce(extra, '{}') || jsonb_build_object('progress', %(progress)s::jsonb)
WHERE message_id = %(id)s::uuid AND claim = %(claim)s AND worker = %(worker)s::uuid
