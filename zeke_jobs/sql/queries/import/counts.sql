-- Each queue of a pg-boss with the task that it maps to, if there is one, and how many jobs it has.
SELECT
  c.name,
  t.id AS task_id,
  coalesce(sum(c.jobs) FILTER (WHERE c.state IN ('created', 'retry')), 0)::integer AS queued,
  coalesce(sum(c.later) FILTER (WHERE c.state IN ('created', 'retry')), 0)::integer AS later,
  coalesce(sum(c.jobs) FILTER (WHERE c.state = 'active'), 0)::integer AS active,
  coalesce(sum(c.jobs) FILTER (WHERE c.state IN ('completed', 'failed')), 0)::integer AS recent
FROM zeke_jobs.pg_boss_counts(%(schema)s::text, %(since)s::timestamptz) AS c
LEFT JOIN LATERAL zeke_jobs.find_task(c.name) AS t ON true
GROUP BY c.name, t.id
ORDER BY c.name COLLATE "C"
