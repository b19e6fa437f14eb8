-- Unfinished jobs of some tasks, known by the names under which they are stored.
SELECT
  n.task,
  (SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state = 'queued' AND q.task = n.task) AS queued,
  (SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = n.task) AS active,
  (SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = n.task AND q.cancelled_on IS NOT NULL) AS stopping
FROM unnest(%(tasks)s::text[]) AS n (task)
ORDER BY n.task
