-- Return the number of jobs by task and status, and how long the oldest due job of each task waits.
SELECT
  t.id, t.queue, t.description, t.aliases, t.definition, c.schedules,
  EXISTS (SELECT 1 FROM zeke_jobs.task_pause AS p WHERE p.task = t.id) AS paused,
  count(*) FILTER (WHERE q.state = 'queued') AS queued,
  count(*) FILTER (WHERE q.state = 'consumed') AS active,
  count(*) FILTER (WHERE q.state = 'done') AS completed,
  count(*) FILTER (WHERE q.state = 'rejected' AND q.cancelled_on IS NULL) AS failed,
  extract(epoch FROM zeke_jobs.now() - min(q.run_at) FILTER (WHERE q.state = 'queued' AND q.run_at <= zeke_jobs.now()))::double precision AS oldest_wait
FROM zeke_jobs.task AS t
CROSS JOIN LATERAL unnest(t.id || t.aliases) AS n (name)
LEFT JOIN zeke_jobs.queue AS q ON q.task = n.name
LEFT JOIN (
  SELECT s.task, jsonb_agg(jsonb_build_object('at', s.cron, 'timezone', coalesce(s.timezone, 'UTC')) ORDER BY s.schedule) AS schedules
  FROM zeke_jobs.schedule AS s WHERE split_part(s.schedule, '/', 1) = s.task GROUP BY s.task
) AS c ON c.task = t.id
GROUP BY t.id, c.schedules
ORDER BY t.id
