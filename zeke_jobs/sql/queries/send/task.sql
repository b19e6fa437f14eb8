-- Return the columns of a task that a sender needs, by the task's id or alias.
SELECT t.id, t.revision, t.payload_schema::text, t.sensitive
FROM zeke_jobs.known_task(CAST(%(task)s AS text)) AS t
