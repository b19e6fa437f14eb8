-- Due jobs that are claimed before a given job while the keys of its task take turns, counted up to a number: of its own key, and of other keys in as
-- many turns, of the same priority.
WITH RECURSIVE job AS MATERIALIZED (
  SELECT q.queue_name, q.task, q.key, q.priority, t.share -> 'weights' AS weights, o.jobs AS own,
    o.jobs / coalesce((t.share #>> ARRAY['weights', q.key])::integer, 1) + 1 AS turns
  FROM zeke_jobs.queue AS q
  JOIN zeke_jobs.task AS t ON t.id = q.task
  CROSS JOIN LATERAL (
    SELECT count(*) AS jobs FROM (
      SELECT 1 FROM zeke_jobs.queue AS o
      WHERE o.state = 'queued' AND o.queue_name = q.queue_name AND o.task = q.task AND o.key = q.key AND o.priority = q.priority
        AND (o.run_at, o.seq) < (q.run_at, q.seq)
      LIMIT %(most)s) AS x
  ) AS o
  WHERE q.message_id = %(id)s::uuid
),
present (key, n) AS (
  SELECT '', 0
  UNION ALL
  SELECT (
    SELECT q.key FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.queue_name = j.queue_name AND q.task = j.task AND q.key IS NOT NULL AND q.key > p.key
    ORDER BY q.key LIMIT 1), p.n + 1
  FROM present AS p CROSS JOIN job AS j
  WHERE p.key IS NOT NULL AND p.n < %(most)s
)
SELECT j.own, (
  SELECT count(*) FROM (
    SELECT 1 FROM present AS p
    CROSS JOIN LATERAL (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.queue_name = j.queue_name AND q.task = j.task AND q.key = p.key AND q.priority = j.priority
        AND q.run_at <= zeke_jobs.now()
      LIMIT j.turns * coalesce((j.weights ->> p.key)::integer, 1)) AS o
    WHERE p.key <> j.key
    LIMIT %(most)s) AS x
) AS others
FROM job AS j
