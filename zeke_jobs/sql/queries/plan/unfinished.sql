-- Count the unfinished jobs of some tasks. Jobs under a task's former ids count, too.
SELECT
  n.task,
  (SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state = 'queued' AND q.task = ANY (m.names)) AS queued,
  (SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = ANY (m.names)) AS active,
  (SELECT count(*) FROM zeke_jobs.queue AS q
   WHERE q.state = 'consumed' AND q.task = ANY (m.names) AND q.cancelled_on IS NOT NULL) AS stopping
FROM unnest(%(tasks)s::text[]) AS n (task)
LEFT JOIN zeke_jobs.task AS t ON t.id = n.task
CROSS JOIN LATERAL (SELECT n.task || coalesce(t.aliases, '{}') AS names) AS m
ORDER BY n.task
