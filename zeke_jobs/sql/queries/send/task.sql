-- What a sender must know of the task that a name or an alias means.
SELECT
  t.id,
  t.revision,
  t.payload_schema::text,
  t.sensitive
FROM zeke_jobs.known_task(CAST(%(task)s AS text)) AS t
