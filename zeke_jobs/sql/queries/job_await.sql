-- Ask for the end of a job to be announced on channel zeke_jobs.done. No row: it has ended already, or is unknown.
-- Rings, because a claim that came by while this held the row has passed it over.
WITH awaited AS (
  UPDATE zeke_jobs.queue AS q
  SET awaited = true
  WHERE q.message_id = CAST(%(id)s AS uuid)
    AND q.state IN ('queued', 'consumed')
  RETURNING q.state, q.queue_name
),
rung AS (
  SELECT zeke_jobs.ring(a.queue_name)
  FROM awaited AS a
  WHERE a.state = 'queued'
)
SELECT a.state::text
FROM awaited AS a
WHERE (SELECT count(*) FROM rung) >= 0
