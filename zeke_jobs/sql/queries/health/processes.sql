-- How many processes of a kind there are on a host, how many are alive, and the oldest of their last heartbeats.
SELECT
  count(*) AS processes,
  count(*) FILTER (WHERE w.heartbeat_on >= zeke_jobs.now() - w.lost_after) AS live,
  max(zeke_jobs.now() - w.heartbeat_on) AS silence
FROM zeke_jobs.worker AS w WHERE w.kind = %(kind)s AND w.host = %(host)s
