-- For each shared limit, and each limit of a single task that counts units (such as tokens) or costs, return how much it allows and how much is used.
SELECT
  CASE WHEN starts_with(u.name, 'limit/') THEN substr(u.name, 7) ELSE u.name END AS name,
  u.full_concurrency AS concurrency, u.concurrency AS concurrency_now, u.rate_count, u.rate_period,
  ARRAY(SELECT t.id FROM zeke_jobs.task AS t WHERE u.name = ANY (t.limits) ORDER BY t.id) AS tasks,
  u.active, u.next_on,
  coalesce(u.units, '[]') AS units,
  u.closed_by, u.closed_until, u.closed_until <= zeke_jobs.now() AS probes, u.closed_why,
  p.target IS NOT NULL AS paused
FROM zeke_jobs.limit_use AS u
LEFT JOIN zeke_jobs.pause AS p ON p.target = u.name
WHERE starts_with(u.name, 'limit/') OR u.units IS NOT NULL
ORDER BY u.name
