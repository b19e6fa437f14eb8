-- The task for each name, if there is one.
SELECT n.name, t.id
FROM unnest(%(names)s::text[]) AS n (name)
CROSS JOIN LATERAL zeke_jobs.find_task(n.name) AS t
WHERE t.id IS NOT NULL
