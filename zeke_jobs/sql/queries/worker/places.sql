-- Record the tasks whose jobs this process runs on its event loop, and how many of these jobs may run at once.
UPDATE zeke_jobs.worker
SET places = %(places)s, async_tasks = %(tasks)s::text[]
WHERE id = %(worker)s::uuid
