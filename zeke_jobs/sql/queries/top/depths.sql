-- Queued jobs of tasks, counted exactly: reads an index entry for each.
SELECT t.id AS task, zeke_jobs.depth(t.queue, t.id, 2147483647) AS queued
FROM zeke_jobs.task AS t
WHERE t.id = ANY (%(tasks)s::text[])
