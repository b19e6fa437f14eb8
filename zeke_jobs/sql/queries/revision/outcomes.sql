-- For each task, the results of jobs that started under a revision, in seconds; costs by currency, and the number of jobs with a cost.
WITH period AS (
  SELECT
    r.number, r.applied_on AS begun,
    coalesce(
      (SELECT n.applied_on FROM zeke_jobs.revision AS n WHERE n.number > r.number ORDER BY n.number LIMIT 1),
      zeke_jobs.now()) AS ended
  FROM zeke_jobs.revision AS r WHERE r.number = %(number)s
),
ran AS (
  SELECT
    f.name, f.state, f.cost, f.currency,
    extract(epoch FROM f.started_on - greatest(f.run_at, f.created_on))::float AS wait,
    extract(epoch FROM f.completed_on - f.started_on)::float AS takes
  FROM zeke_jobs.finished AS f
  CROSS JOIN period AS p
  WHERE f.started_on >= p.begun AND f.started_on < p.ended
),
costs AS (
  SELECT s.name, jsonb_object_agg(s.currency, s.cost::text) AS cost
  FROM (
    SELECT r.name, r.currency, trim_scale(sum(r.cost)) AS cost
    FROM ran AS r WHERE r.cost IS NOT NULL
    GROUP BY r.name, r.currency
  ) AS s
  GROUP BY s.name
)
SELECT
  r.name AS task,
  count(*) AS jobs,
  count(*) FILTER (WHERE r.state = 'failed') AS failed,
  (count(*) FILTER (WHERE r.state = 'completed')
    / greatest(max(extract(epoch FROM p.ended - p.begun)), 1) * 3600)::float AS per_hour,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY r.wait) AS wait_p50,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY r.wait) AS wait_p95,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY r.takes) AS takes_p50,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY r.takes) AS takes_p95,
  (SELECT c.cost FROM costs AS c WHERE c.name = r.name) AS cost,
  count(r.cost) AS with_cost
FROM ran AS r
CROSS JOIN period AS p
GROUP BY r.name
ORDER BY r.name
