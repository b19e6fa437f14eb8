-- The shared limits in force: allowed and used amounts.
SELECT
  substr(u.name, 7) AS name,
  u.full_concurrency AS concurrency,
  u.concurrency AS concurrency_now,
  u.rate_count,
  u.rate_period,
  ARRAY(SELECT t.id FROM zeke_jobs.task AS t WHERE u.name = ANY (t.gates) ORDER BY t.id) AS tasks,
  u.active,
  coalesce(u.used, 0)::integer AS started,
  coalesce(u.meters, '[]') AS meters,
  u.closed_by,
  u.closed_until,
  u.closed_why,
  p.target IS NOT NULL AS paused
FROM zeke_jobs.gate_use AS u
LEFT JOIN zeke_jobs.pause AS p ON p.target = u.name
WHERE u.name LIKE 'limit/%%'
ORDER BY u.name
