-- Whether a worker process is alive.
SELECT EXISTS (
  SELECT FROM zeke_jobs.worker AS w
  WHERE w.kind = 'worker' AND NOT w.stopping AND w.heartbeat_on >= zeke_jobs.now() - w.lost_after
) AS has_worker
