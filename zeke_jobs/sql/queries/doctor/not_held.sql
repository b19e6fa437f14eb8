-- For each worker, count its claimed jobs that it never received or no longer has. A live worker reports how many it holds, and marks started jobs within 1 s.
SELECT
  w.host, w.pid, l.lives,
  CASE WHEN l.lives THEN greatest(count(*) FILTER (WHERE q.started_on IS NULL), count(*) - w.busy) ELSE count(*) END AS jobs,
  array_agg(DISTINCT q.task) AS tasks,
  min(q.claimed_on) AS since,
  zeke_jobs.now() AS now
FROM zeke_jobs.queue AS q
LEFT JOIN zeke_jobs.worker AS w ON w.id = q.worker
CROSS JOIN LATERAL (SELECT coalesce(w.heartbeat_on >= zeke_jobs.now() - w.lost_after, false) AS lives) AS l
WHERE q.state = 'consumed' AND CASE
    WHEN l.lives THEN q.claimed_on < w.heartbeat_on - w.lost_after
    -- Within 90 seconds, another process should have rescued the jobs of a lost worker.
    ELSE q.claimed_on < zeke_jobs.now() - interval '90 seconds' AND (w.heartbeat_on < zeke_jobs.now() - 2 * w.lost_after) IS NOT FALSE END
GROUP BY q.worker, w.host, w.pid, w.busy, l.lives
HAVING NOT l.lives OR count(*) FILTER (WHERE q.started_on IS NULL) > 0 OR count(*) > w.busy
ORDER BY since
