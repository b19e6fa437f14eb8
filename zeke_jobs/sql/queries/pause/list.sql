-- Return the pauses by people and by jobs.yaml, and how many jobs each pause holds back. For each task, at most a given number of jobs is counted.
SELECT x.target, x.paused_by, x.paused_on, x.reason, coalesce(sum(zeke_jobs.depth(t.queue, t.id, %(most)s)), 0)::bigint AS waiting
FROM (
  SELECT p.target, p.paused_by, p.paused_on, p.reason, t.id AS task
  FROM zeke_jobs.pause AS p
  LEFT JOIN zeke_jobs.task AS t
    ON p.target IN ('task/' || t.id, 'queue/' || t.queue) OR starts_with(p.target, 'limit/') AND p.target = ANY (t.limits)
  UNION ALL
  SELECT f.target, f.paused_by, f.paused_on, f.reason, f.task
  FROM zeke_jobs.task_pause AS f
  WHERE f.paused_by = 'jobs.yaml' AND NOT EXISTS (SELECT 1 FROM zeke_jobs.pause AS p WHERE p.target = f.target AND p.paused_by = f.paused_by)
) AS x
LEFT JOIN zeke_jobs.task AS t ON t.id = x.task
GROUP BY x.target, x.paused_by, x.paused_on, x.reason
ORDER BY x.target, x.paused_on
