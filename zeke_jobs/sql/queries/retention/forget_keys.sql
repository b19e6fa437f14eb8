-- Forget a key of a task with a rate per key when none of its jobs has waited for an hour. A start that was given back counts until the next claim
-- looks at the key, as long as a job of the key waits.
DELETE FROM zeke_jobs.key_wait AS w
WHERE w.ctid = ANY (ARRAY(
  SELECT o.ctid
  FROM zeke_jobs.key_wait AS o
  WHERE o.due_on < zeke_jobs.now() - interval '1 hour' AND NOT EXISTS (
    SELECT 1 FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.deaths < 1 AND q.task = o.task AND q.key = o.key AND q.key_seen
      AND q.priority = coalesce(o.priority, q.priority))
  FOR UPDATE SKIP LOCKED
))
