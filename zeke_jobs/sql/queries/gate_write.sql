-- Make the limits what jobs.yaml says. A lowered limit lets running jobs finish.
WITH wanted AS (
  SELECT w.name, w.concurrency, w.rate_count, w.rate_period
  FROM jsonb_to_recordset(%(gates)s::jsonb) AS w (name text, concurrency integer, rate_count integer, rate_period interval)
),
removed AS (
  DELETE FROM zeke_jobs.gate AS g
  WHERE NOT EXISTS (SELECT 1 FROM wanted AS w WHERE w.name = g.name)
)
INSERT INTO zeke_jobs.gate AS g (name, concurrency, rate_count, rate_period)
SELECT name, concurrency, rate_count, rate_period FROM wanted ORDER BY name
ON CONFLICT (name) DO UPDATE
SET concurrency = excluded.concurrency, rate_count = excluded.rate_count, rate_period = excluded.rate_period
WHERE (g.concurrency, g.rate_count, g.rate_period)
  IS DISTINCT FROM (excluded.concurrency, excluded.rate_count, excluded.rate_period)
