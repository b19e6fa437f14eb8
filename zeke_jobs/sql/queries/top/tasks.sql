-- For each task, count queued jobs (up to a maximum), active jobs and jobs ended in the last minute. Return how long the oldest due job waits and handlers run.
SELECT
  t.id AS task, t.queue,
  zeke_jobs.depth(t.queue, t.id, %(most)s) AS queued,
  (SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = ANY (t.id || t.aliases)) AS active,
  (t.definition #>> '{concurrency,limit}')::integer AS active_limit,
  p.done_per_minute, p.failed_per_minute, p.p50, p.p95,
  w.wait, w.max_wait, w.is_late,
  (SELECT string_agg(DISTINCT x.target || ' by ' || x.paused_by, ', ') FROM zeke_jobs.task_pause AS x WHERE x.task = t.id)
    AS paused
FROM zeke_jobs.task AS t
JOIN zeke_jobs.task_wait AS w ON w.task = t.id
CROSS JOIN LATERAL zeke_jobs.pace(t.id, %(sample)s) AS p
ORDER BY t.id
