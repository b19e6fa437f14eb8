-- Limits, and the threads of live workers that could run jobs under them.
SELECT g.name, g.concurrency, coalesce(sum(w.threads), 0) AS threads
FROM zeke_jobs.gate AS g
JOIN zeke_jobs.worker AS w
  ON w.kind = 'worker' AND NOT w.stopping AND w.heartbeat_on >= zeke_jobs.now() - w.lost_after AND EXISTS (
    SELECT 1 FROM zeke_jobs.task AS t
    WHERE g.name = ANY (t.gates) AND t.queue = ANY (w.queues) AND t.id = ANY (w.tasks))
WHERE g.concurrency IS NOT NULL
GROUP BY g.name, g.concurrency
ORDER BY g.name
