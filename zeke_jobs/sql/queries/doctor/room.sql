-- For each limit, return its concurrency and its rates of jobs and units (such as tokens). For each queue, return how many jobs live workers can run at once.
SELECT b.name, b.concurrency, b.amount::integer AS rate_count, extract(epoch FROM b.period)::double precision AS rate_seconds,
  (SELECT jsonb_object_agg(m.unit, m.amount / extract(epoch FROM m.period)) FROM zeke_jobs.bucket AS m
   WHERE m.name = b.name AND m.unit <> 'jobs' AND m.period IS NOT NULL) AS units
FROM zeke_jobs.bucket AS b WHERE b.unit = 'jobs'
UNION ALL
SELECT 'queue/' || n.queue, sum(w.threads + CASE WHEN w.async_tasks = '{}' THEN 0 ELSE w.places END)::integer, NULL, NULL, NULL
FROM (SELECT DISTINCT t.queue FROM zeke_jobs.task AS t) AS n
JOIN zeke_jobs.worker AS w
  ON w.kind = 'worker' AND NOT w.stopping AND n.queue = ANY (w.queues) AND w.heartbeat_on >= zeke_jobs.now() - w.lost_after
GROUP BY n.queue
ORDER BY name
