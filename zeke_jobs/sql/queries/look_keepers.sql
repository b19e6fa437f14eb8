-- Live processes that claim nothing else, each with the job that keeps it: the one that it runs alone, or else the oldest that
-- could start in it, for which it makes itself empty.
SELECT w.id AS worker, w.host, w.pid, k.job, k.task, k.deaths, k.since, k.runs
FROM zeke_jobs.worker AS w
CROSS JOIN LATERAL (
  SELECT q.message_id AS job, q.task, q.deaths, coalesce(q.started_on, q.claimed_on) AS since, true AS runs
  FROM zeke_jobs.queue AS q
  WHERE w.alone AND q.state = 'consumed' AND q.worker = w.id AND q.deaths > 0
  UNION ALL
  (SELECT q.message_id, q.task, q.deaths, greatest(q.run_at, q.mtime), false
   FROM zeke_jobs.startable_suspects(w.queues, w.tasks, zeke_jobs.now()) AS s (id)
   JOIN zeke_jobs.queue AS q ON q.message_id = s.id
   WHERE w.alone
   ORDER BY q.run_at
   LIMIT 1)
  ORDER BY runs DESC
  LIMIT 1
) AS k
WHERE w.kind = 'worker' AND w.alone AND NOT w.stopping AND w.heartbeat_on >= zeke_jobs.now() - w.lost_after
ORDER BY w.started_on
