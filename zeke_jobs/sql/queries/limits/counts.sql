-- The shared limits in force, and the tasks with a budget: allowed and used amounts.
SELECT
  CASE WHEN starts_with(u.name, 'limit/') THEN substr(u.name, 7) ELSE u.name END AS name,
  u.full_concurrency AS concurrency,
  u.concurrency AS concurrency_now,
  u.rate_count,
  u.rate_period,
  ARRAY(SELECT t.id FROM zeke_jobs.task AS t WHERE u.name = ANY (t.gates) ORDER BY t.id) AS tasks,
  u.active,
  coalesce(u.used, 0)::integer AS started,
  jsonb_path_query_array(coalesce(u.meters, '[]'), '$[*] ? (@.per_key == false)') AS meters,
  u.closed_by,
  u.closed_until,
  u.closed_why,
  p.target IS NOT NULL AS paused
FROM zeke_jobs.gate_use AS u
LEFT JOIN zeke_jobs.pause AS p ON p.target = u.name
WHERE starts_with(u.name, 'limit/') OR EXISTS (SELECT 1 FROM zeke_jobs.meter AS m WHERE m.gate = u.name AND m.zone IS NOT NULL)
ORDER BY u.name
