-- The task that a name or an alias means, as a sender needs it.
SELECT
  t.id,
  t.revision,
  t.payload_schema::text,
  t.sensitive
FROM zeke_jobs.known_task(CAST(%(task)s AS text)) AS t
