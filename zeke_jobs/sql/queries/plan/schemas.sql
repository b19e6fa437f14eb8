-- Return the payload schema of each task.
SELECT id, payload_schema FROM zeke_jobs.task
