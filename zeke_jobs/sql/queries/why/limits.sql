-- Return the given limits under which no job may start now, and why. If a limit's concurrency is reached, also return the oldest active jobs that count in it.
SELECT
  u.name, r.reason, r.opens_on, u.concurrency, u.active, u.rate_count, u.rate_period, u.closed_by, u.closed_until,
  u.closed_why, u.probe,
  (SELECT m.value FROM jsonb_array_elements(u.units) AS m (value) WHERE m.value ->> 'unit' = r.unit) AS unit,
  CASE WHEN r.reason = 'concurrency' THEN (
    SELECT jsonb_agg(to_jsonb(h) ORDER BY h.since)
    FROM (
      SELECT o.id, o.task, o.host, o.pid, o.since FROM (
        SELECT DISTINCT ON (q.worker, q.claimed_on, CASE WHEN (q.task = ANY (b.chunked)) IS NOT TRUE THEN q.message_id END)
          q.message_id AS id, q.task, w.host, w.pid, coalesce(q.started_on, q.claimed_on) AS since
        FROM zeke_jobs.bucket AS b
        JOIN zeke_jobs.queue AS q ON q.state = 'consumed' AND q.task = ANY (b.tasks)
        LEFT JOIN zeke_jobs.worker AS w ON w.id = q.worker
        WHERE b.name = u.name AND b.unit = 'jobs'
      ) AS o
      ORDER BY o.since LIMIT %(most)s
    ) AS h) END AS holders
FROM zeke_jobs.room_of(%(limits)s::text[]) AS r
JOIN zeke_jobs.limit_use AS u ON u.name = r.name
WHERE r.room < 1
ORDER BY u.name, r.unit <> 'jobs', r.unit
