-- Make the limits what jobs.yaml says; those that it lacks are removed later. A lowered limit lets running jobs finish.
INSERT INTO zeke_jobs.gate AS g (name, concurrency, rate_count, rate_period)
SELECT w.name, w.concurrency, w.rate_count, w.rate_period
FROM jsonb_to_recordset(%(gates)s::jsonb) AS w (name text, concurrency integer, rate_count integer, rate_period interval)
ORDER BY w.name
ON CONFLICT (name) DO UPDATE
SET concurrency = excluded.concurrency, rate_count = excluded.rate_count, rate_period = excluded.rate_period
WHERE (g.concurrency, g.rate_count, g.rate_period)
  IS DISTINCT FROM (excluded.concurrency, excluded.rate_count, excluded.rate_period)
