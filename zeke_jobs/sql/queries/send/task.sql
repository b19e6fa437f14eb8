-- Return the task with this id or alias, with the facts that a sender needs.
SELECT t.id, t.revision, t.payload_schema::text, t.sensitive
FROM zeke_jobs.known_task(CAST(%(task)s AS text)) AS t
