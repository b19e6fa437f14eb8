-- What a completed job returned; no row while it has not completed.
SELECT q.result::text
FROM zeke_jobs.queue AS q
WHERE q.message_id = CAST(%(id)s AS uuid)
  AND q.state = 'done'
