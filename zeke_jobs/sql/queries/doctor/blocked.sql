-- Return the live workers in which an async handler blocked the event loop within the last hour.
SELECT w.host, w.pid, w.blocked, zeke_jobs.now() - (w.blocked ->> 'on')::timestamptz AS ago
FROM zeke_jobs.worker AS w
WHERE (w.blocked ->> 'on')::timestamptz > zeke_jobs.now() - interval '1 hour' AND w.heartbeat_on >= zeke_jobs.now() - w.lost_after
ORDER BY w.host, w.pid
