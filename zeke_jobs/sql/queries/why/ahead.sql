-- Due jobs that are claimed before a given job, counted up to a number: jobs of its task with a higher priority, jobs of its task with
-- the same priority that were due earlier, and jobs of other tasks of its queue with a higher priority.
SELECT
  (SELECT count(*) FROM (
     SELECT 1 FROM zeke_jobs.queue AS q
     WHERE q.state = 'queued' AND q.deaths < 2 AND q.queue_name = %(queue)s AND q.task = %(task)s
       AND q.priority > %(priority)s AND q.run_at <= zeke_jobs.now()
     LIMIT %(most)s) AS x) AS higher,
  (SELECT count(*) FROM (
     SELECT 1 FROM zeke_jobs.queue AS q
     WHERE q.state = 'queued' AND q.deaths < 2 AND q.queue_name = %(queue)s AND q.task = %(task)s
       AND q.priority = %(priority)s AND (q.run_at, q.seq) < (%(run_at)s::timestamptz, %(seq)s::bigint)
     LIMIT %(most)s) AS x) AS earlier,
  (SELECT count(*) FROM (
     SELECT 1
     FROM zeke_jobs.task AS t
     CROSS JOIN LATERAL (
       SELECT 1 FROM zeke_jobs.queue AS q
       WHERE q.state = 'queued' AND q.deaths < 2 AND q.queue_name = t.queue AND q.task = t.id
         AND q.priority > %(priority)s AND q.run_at <= zeke_jobs.now()
       LIMIT %(most)s) AS y
     WHERE t.queue = %(queue)s AND t.id <> %(task)s
       AND NOT EXISTS (SELECT 1 FROM zeke_jobs.task_pause AS p WHERE p.task = t.id)
     LIMIT %(most)s) AS x) AS others
