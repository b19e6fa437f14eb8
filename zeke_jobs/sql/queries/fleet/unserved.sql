-- Return the queues that have tasks in the current jobs.yaml, but no live worker.
SELECT DISTINCT t.queue
FROM zeke_jobs.task AS t WHERE NOT EXISTS (
  SELECT 1 FROM zeke_jobs.worker AS w
  WHERE w.kind = 'worker' AND t.queue = ANY (w.queues) AND w.heartbeat_on >= zeke_jobs.now() - w.lost_after)
ORDER BY t.queue
