-- Return the payload schemas of the catalogue.
SELECT id, payload_schema FROM zeke_jobs.task
