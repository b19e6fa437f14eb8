-- Exact counts of tasks' queued jobs; reads one index entry for each job.
SELECT t.id AS task, zeke_jobs.depth(t.queue, t.id, 2147483647) AS queued
FROM zeke_jobs.task AS t
WHERE t.id = ANY (%(tasks)s::text[])
