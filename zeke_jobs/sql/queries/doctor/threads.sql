-- Limits, and the threads of live workers that could run jobs under them.
SELECT b.name, b.concurrency, coalesce(sum(w.threads), 0) AS threads
FROM zeke_jobs.bucket AS b
JOIN zeke_jobs.worker AS w
  ON w.kind = 'worker' AND NOT w.stopping AND w.heartbeat_on >= zeke_jobs.now() - w.lost_after AND EXISTS (
    SELECT 1 FROM zeke_jobs.task AS t
    WHERE b.name = ANY (t.limits) AND t.queue = ANY (w.queues) AND t.id = ANY (w.tasks))
WHERE b.concurrency IS NOT NULL
GROUP BY b.name, b.concurrency
ORDER BY b.name
