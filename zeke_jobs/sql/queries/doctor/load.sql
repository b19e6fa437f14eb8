-- For each task, return how many jobs arrived in a recent time window, the window's length, how long jobs took, and how many units (such as tokens) a job uses.
WITH newest AS MATERIALIZED (
  SELECT q.task, q.created_on
  FROM zeke_jobs.queue AS q WHERE q.created_on > zeke_jobs.now() - make_interval(secs => %(window)s::double precision)
  ORDER BY q.created_on DESC LIMIT %(most)s
),
arrived AS (
  SELECT n.task, count(*) AS jobs FROM newest AS n GROUP BY n.task
),
span AS (
  SELECT CASE
    WHEN count(*) = %(most)s THEN greatest(0.001, extract(epoch FROM zeke_jobs.now() - min(n.created_on)))
    -- If a job was sent before the window began, "newest" has the jobs of the whole window.
    WHEN EXISTS (SELECT 1 FROM zeke_jobs.queue AS q
                 WHERE q.created_on <= zeke_jobs.now() - make_interval(secs => %(window)s::double precision))
      THEN %(window)s
    ELSE greatest(%(shortest)s, extract(epoch FROM zeke_jobs.now() - min(n.created_on)))
  END::double precision AS seconds
  FROM newest AS n
)
SELECT
  t.id AS task, t.queue, t.limits,
  coalesce(a.jobs, 0) AS arrived,
  s.seconds, p.mean, p.sample,
  t.units || coalesce((
    SELECT jsonb_object_agg(b.unit, b.averages -> t.id) FROM zeke_jobs.bucket AS b WHERE b.name = ANY (t.limits) AND b.averages ? t.id), '{}') AS units,
  w.paused,
  extract(epoch FROM w.wait)::double precision AS waits
FROM zeke_jobs.task AS t
CROSS JOIN span AS s
JOIN arrived AS a ON a.task = t.id
CROSS JOIN LATERAL zeke_jobs.pace(t.id, %(sample)s) AS p
JOIN zeke_jobs.task_wait AS w ON w.task = t.id
ORDER BY t.id
