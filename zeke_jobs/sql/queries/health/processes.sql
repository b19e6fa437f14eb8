-- Processes of a kind on a host: their number, the number alive, the oldest heartbeat.
SELECT
  count(*) AS processes,
  count(*) FILTER (WHERE w.heartbeat_on >= zeke_jobs.now() - w.lost_after) AS live,
  max(zeke_jobs.now() - w.heartbeat_on) AS silence
FROM zeke_jobs.worker AS w
WHERE w.kind = %(kind)s AND w.host = %(host)s
