-- Return the task names of queued jobs that are neither the id nor an alias of a task, and the number of queued jobs with each name.
SELECT n.queue, n.task, zeke_jobs.depth(n.queue, n.task, %(most)s) AS queued
FROM zeke_jobs.queued_names() AS n
WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.task AS t WHERE t.id = n.task OR n.task = ANY (t.aliases))
ORDER BY n.queue, n.task
