-- For each limit with a concurrency, return how many of its jobs the live workers can run at once in their threads and event loops.
SELECT b.name, b.concurrency, coalesce(sum(s.threads), 0) AS threads
FROM zeke_jobs.bucket AS b
CROSS JOIN zeke_jobs.worker AS w
CROSS JOIN LATERAL (
  SELECT coalesce(max(w.places) FILTER (WHERE t.id = ANY (w.async_tasks)), 0)
    + coalesce(max(w.threads) FILTER (WHERE t.id <> ALL (w.async_tasks)), 0) AS threads
  FROM zeke_jobs.task AS t WHERE b.name = ANY (t.limits) AND t.queue = ANY (w.queues) AND t.id = ANY (w.tasks)) AS s
WHERE w.kind = 'worker' AND NOT w.stopping AND w.heartbeat_on >= zeke_jobs.now() - w.lost_after AND s.threads > 0 AND b.concurrency IS NOT NULL
GROUP BY b.name, b.concurrency
ORDER BY b.name
