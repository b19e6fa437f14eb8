-- Delete batches that ended more than ninety days ago and have no job left.
DELETE FROM zeke_jobs.batch AS b WHERE b.ended_on < zeke_jobs.now() - interval '90 days'
  AND NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE (q.extra ->> 'batch') = b.id)
