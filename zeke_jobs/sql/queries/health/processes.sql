-- Processes of a kind that announced themselves from a host: how many, how many of them live, the oldest proof of life.
SELECT
  count(*) AS processes,
  count(*) FILTER (WHERE w.heartbeat_on >= zeke_jobs.now() - w.lost_after) AS live,
  max(zeke_jobs.now() - w.heartbeat_on) AS silence
FROM zeke_jobs.worker AS w
WHERE w.kind = %(kind)s AND w.host = %(host)s
