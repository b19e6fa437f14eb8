-- For each queue, return the tasks that no live worker can run, and the number of queued jobs of these tasks.
SELECT t.queue, array_agg(t.id ORDER BY t.id) AS tasks, sum(zeke_jobs.depth(t.queue, t.id, %(most)s))::integer AS queued
FROM zeke_jobs.task AS t WHERE NOT EXISTS (
  SELECT 1 FROM zeke_jobs.worker AS w
  WHERE w.kind = 'worker' AND NOT w.stopping AND t.queue = ANY (w.queues) AND t.id = ANY (w.tasks)
    AND w.heartbeat_on >= zeke_jobs.now() - w.lost_after)
GROUP BY t.queue
ORDER BY t.queue
