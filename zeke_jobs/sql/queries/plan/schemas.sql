-- What the catalogue knows of payloads.
SELECT id, payload_schema
FROM zeke_jobs.task
