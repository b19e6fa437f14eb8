-- Every name that send accepts, to find the nearest one.
SELECT n.name
FROM zeke_jobs.task AS t
CROSS JOIN LATERAL unnest(t.id || t.aliases) AS n (name)
ORDER BY n.name
