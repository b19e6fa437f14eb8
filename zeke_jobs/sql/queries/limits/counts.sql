-- The shared limits in force: what they allow, what is active under them, and the starts that count for their rate just now.
SELECT
  substr(g.name, 7) AS name,
  g.concurrency,
  g.rate_count,
  g.rate_period,
  u.tasks,
  (SELECT a.active FROM zeke_jobs.gate_use AS a WHERE a.name = g.name) AS active,
  coalesce(
    (SELECT sum(r.count) FROM zeke_jobs.rate_use AS r
     WHERE r.gate = g.name AND r.used_on > zeke_jobs.now() - g.rate_period),
    0)::integer AS started,
  p.target IS NOT NULL AS paused
FROM zeke_jobs.gate AS g
CROSS JOIN LATERAL (
  SELECT ARRAY(SELECT t.id FROM zeke_jobs.task AS t WHERE g.name = ANY (t.gates) ORDER BY t.id) AS tasks
) AS u
LEFT JOIN zeke_jobs.pause AS p ON p.target = g.name
WHERE g.name LIKE 'limit/%%'
ORDER BY g.name
