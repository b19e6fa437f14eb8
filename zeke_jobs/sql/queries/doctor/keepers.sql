-- Live processes that claim no other jobs because of a suspect: the oldest suspect that the process runs, or else one that could
-- start in it, for which it stops claiming. With the number of suspects beside it (for a waiting one, the most there can be).
SELECT w.id AS worker, w.host, w.pid, k.job, k.task, k.deaths, k.since, k.runs, k.beside
FROM zeke_jobs.worker AS w
CROSS JOIN LATERAL (
  (SELECT q.message_id AS job, q.task, q.deaths, coalesce(q.started_on, q.claimed_on) AS since, true AS runs,
     count(*) OVER () - 1 AS beside
   FROM zeke_jobs.queue AS q
   WHERE w.alone AND q.state = 'consumed' AND q.worker = w.id AND q.deaths > 0
   ORDER BY q.claimed_on, q.seq
   LIMIT 1)
  UNION ALL
  (SELECT q.message_id, q.task, q.deaths, greatest(q.run_at, q.mtime), false, q.group_size - 1
   FROM zeke_jobs.startable_suspects(w.queues, w.tasks, zeke_jobs.now()) AS s
   JOIN zeke_jobs.queue AS q ON q.message_id = s.message_id
   WHERE w.alone
   ORDER BY q.run_at
   LIMIT 1)
  ORDER BY runs DESC
  LIMIT 1
) AS k
WHERE w.kind = 'worker' AND w.alone AND NOT w.stopping AND w.heartbeat_on >= zeke_jobs.now() - w.lost_after
ORDER BY w.started_on
