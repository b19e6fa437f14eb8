-- Count the due jobs that will be claimed before a job, each kind up to a maximum: the task's jobs of higher priority, its earlier jobs, and other tasks' jobs.
WITH job AS (
  SELECT t.age, t.share, zeke_jobs.risen(%(priority)s, %(run_at)s::timestamptz, t.age, zeke_jobs.now()) AS rank
  FROM zeke_jobs.task AS t WHERE t.id = %(task)s
)
SELECT
  (SELECT count(*) FROM (
     SELECT 1 FROM zeke_jobs.queue AS q
     WHERE q.state = 'queued' AND q.deaths < 2 AND q.queue_name = %(queue)s AND q.task = %(task)s
       AND q.priority > %(priority)s AND q.run_at <= least(zeke_jobs.now(), %(run_at)s::timestamptz + (q.priority - %(priority)s) * j.age)
     LIMIT %(most)s) AS x) AS higher,
  (SELECT count(*) FROM (
     SELECT 1 FROM zeke_jobs.queue AS q
     WHERE q.state = 'queued' AND q.deaths < 2 AND q.queue_name = %(queue)s AND q.task = %(task)s AND j.share IS NULL
       AND q.priority = %(priority)s AND (q.run_at, q.seq) < (%(run_at)s::timestamptz, %(seq)s::bigint)
     UNION ALL
     SELECT 1 FROM zeke_jobs.queue AS q
     WHERE q.state = 'queued' AND q.deaths < 2 AND q.queue_name = %(queue)s AND q.task = %(task)s AND j.age IS NOT NULL
       AND q.priority < %(priority)s AND q.run_at < %(run_at)s::timestamptz - (%(priority)s - q.priority) * j.age
     LIMIT %(most)s) AS x) AS earlier,
  (SELECT count(*) FROM (
     SELECT 1
     FROM zeke_jobs.task AS t
     CROSS JOIN LATERAL (
       SELECT 1 FROM zeke_jobs.queue AS q
       WHERE q.state = 'queued' AND q.deaths < 2 AND q.queue_name = t.queue AND q.task = t.id
         AND q.priority > CASE WHEN t.age IS NULL THEN j.rank ELSE -2147483648 END AND q.run_at <= zeke_jobs.now()
         AND zeke_jobs.risen(q.priority, q.run_at, t.age, zeke_jobs.now()) > j.rank
       LIMIT %(most)s) AS y
     WHERE t.queue = %(queue)s AND t.id <> %(task)s
       AND NOT EXISTS (SELECT 1 FROM zeke_jobs.task_pause AS p WHERE p.task = t.id)
     LIMIT %(most)s) AS x) AS others
FROM job AS j
