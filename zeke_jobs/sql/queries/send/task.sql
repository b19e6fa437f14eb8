-- Return the columns that a sender needs of the task with this id or alias.
SELECT t.id, t.revision, t.payload_schema::text, t.sensitive
FROM zeke_jobs.known_task(CAST(%(task)s AS text)) AS t
