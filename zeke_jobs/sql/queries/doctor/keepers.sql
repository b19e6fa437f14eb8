-- Live processes that claim no other jobs, because they run a job that must run alone, or first finish their other jobs for it.
SELECT w.id AS worker, w.host, w.pid, k.job, k.task, k.deaths, k.since, k.runs
FROM zeke_jobs.worker AS w
CROSS JOIN LATERAL (
  (SELECT q.message_id AS job, q.task, q.deaths, coalesce(q.started_on, q.claimed_on) AS since, true AS runs
   FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.worker = w.id AND q.deaths > 1
   ORDER BY q.claimed_on LIMIT 1)
  UNION ALL
  (SELECT q.message_id, q.task, q.deaths, greatest(q.run_at, q.mtime), false
   FROM zeke_jobs.queue AS q
   WHERE w.alone AND q.state = 'queued' AND q.deaths > 1 AND q.queue_name = ANY (w.queues) AND q.task = ANY (w.tasks)
     AND q.run_at <= zeke_jobs.now() AND NOT EXISTS (SELECT 1 FROM zeke_jobs.task_pause AS p WHERE p.task = q.task)
   ORDER BY q.run_at, q.seq LIMIT 1)
  ORDER BY runs DESC LIMIT 1
) AS k
WHERE w.kind = 'worker' AND NOT w.stopping AND w.heartbeat_on >= zeke_jobs.now() - w.lost_after
ORDER BY w.started_on
