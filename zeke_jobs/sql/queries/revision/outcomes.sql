-- For each task, return results, durations and costs of jobs that started under a revision. Costs are summed by currency; with_cost counts jobs with a cost.
WITH period AS (
  SELECT s.begun, s.ended
  FROM (
    SELECT r.number, r.applied_on AS begun, coalesce(lead(r.applied_on) OVER (ORDER BY r.number), zeke_jobs.now()) AS ended
    FROM zeke_jobs.revision AS r) AS s WHERE s.number = %(number)s
),
ran AS (
  SELECT
    f.name, f.state, f.cost, f.currency,
    extract(epoch FROM f.started_on - greatest(f.run_at, f.created_on))::float AS wait,
    extract(epoch FROM f.completed_on - f.started_on)::float AS takes
  FROM zeke_jobs.finished AS f
  CROSS JOIN period AS p
  WHERE f.started_on >= p.begun AND f.started_on < p.ended
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
  (SELECT jsonb_object_agg(c.currency, c.cost::text)
   FROM (
     SELECT o.currency, trim_scale(sum(o.cost)) AS cost FROM ran AS o WHERE o.name = r.name AND o.cost IS NOT NULL
     GROUP BY o.currency) AS c) AS cost,
  count(r.cost) AS with_cost
FROM ran AS r
CROSS JOIN period AS p
GROUP BY r.name
ORDER BY r.name
