-- Record which async handler blocks the event loop of a process.
UPDATE zeke_jobs.worker
SET blocked = jsonb_build_object('task', %(task)s::text, 'job', %(job_id)s::text, 'stack', %(stack)s::text, 'on', zeke_jobs.now())
WHERE id = %(worker)s::uuid
