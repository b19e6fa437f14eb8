-- Return the tasks that have due jobs, but whose live workers are all reserved for a job that must run alone. Skip tasks that are paused or at a limit.
SELECT t.queue, t.id AS task, d.due, s.workers, zeke_jobs.now() AS now
FROM zeke_jobs.task AS t
CROSS JOIN LATERAL (
  SELECT array_agg(w.id) AS workers
  FROM zeke_jobs.worker AS w
  WHERE w.kind = 'worker' AND NOT w.stopping AND t.queue = ANY (w.queues) AND t.id = ANY (w.tasks)
    AND w.heartbeat_on >= zeke_jobs.now() - w.lost_after
) AS s
CROSS JOIN LATERAL (
  SELECT count(*) AS due
  FROM (
    SELECT 1 FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.deaths < 2 AND q.queue_name = t.queue AND q.task = t.id AND q.run_at <= zeke_jobs.now()
    LIMIT %(most)s) AS x
) AS d
WHERE s.workers <@ %(kept)s::uuid[] AND d.due > 0
  AND NOT EXISTS (SELECT 1 FROM zeke_jobs.task_pause AS p WHERE p.task = t.id)
  AND NOT EXISTS (SELECT 1 FROM zeke_jobs.room_of(t.limits) AS r WHERE r.room < 1)
ORDER BY t.queue, t.id
