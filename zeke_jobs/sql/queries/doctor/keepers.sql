-- Return the live processes that claim nothing except a job that must run alone: they run this job, or first finish their other jobs.
SELECT w.id AS worker, w.host, w.pid, k.job, k.task, k.deaths, k.since, k.runs
FROM zeke_jobs.worker AS w
CROSS JOIN LATERAL (
  (SELECT q.message_id AS job, q.task, q.deaths, coalesce(q.started_on, q.claimed_on) AS since, true AS runs
   FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.worker = w.id AND q.deaths > 1
   ORDER BY q.claimed_on LIMIT 1)
  UNION ALL
  (SELECT s.id, s.task, s.deaths, s.since, false
   FROM zeke_jobs.suspect AS s WHERE w.alone AND s.queue = ANY (w.queues) AND s.task = ANY (w.tasks)
   ORDER BY s.run_at, s.seq LIMIT 1)
  ORDER BY runs DESC LIMIT 1
) AS k
WHERE w.kind = 'worker' AND NOT w.stopping AND w.heartbeat_on >= zeke_jobs.now() - w.lost_after
ORDER BY w.started_on
