-- Ask for the end of a job to be announced on channel zeke_jobs.done. No row: it has ended already, or is unknown.
UPDATE zeke_jobs.queue AS q
SET awaited = true
WHERE q.message_id = CAST(%(id)s AS uuid)
  AND q.state IN ('queued', 'consumed')
RETURNING q.state::text
