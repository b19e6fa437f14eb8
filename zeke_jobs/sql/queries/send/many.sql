-- Send many jobs of one task.
SELECT zeke_jobs.enqueue_many(
  CAST(%(task)s AS text), CAST(%(revision)s AS integer), CAST(%(payloads)s AS jsonb), CAST(%(ids)s AS uuid[]),
  CAST(%(keys)s AS text[]), CAST(%(options)s AS jsonb)) AS answer
