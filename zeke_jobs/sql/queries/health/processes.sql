-- Return how many processes of a kind a host has, how many of them are alive, and the longest time since a process's last heartbeat.
SELECT
  count(*) AS processes,
  count(*) FILTER (WHERE w.heartbeat_on >= zeke_jobs.now() - w.lost_after) AS live,
  max(zeke_jobs.now() - w.heartbeat_on) AS silence
FROM zeke_jobs.worker AS w WHERE w.kind = %(kind)s AND w.host = %(host)s
