-- Find a task by its id or alias, and return the columns that a sender needs.
SELECT t.id, t.revision, t.payload_schema::text, t.sensitive
FROM zeke_jobs.known_task(CAST(%(task)s AS text)) AS t
