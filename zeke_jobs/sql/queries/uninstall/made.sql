-- For each package other than zeke_jobs, return the database objects that its migrations made.
SELECT m.package, array_remove(array_agg(o.object ORDER BY m.name, o.n), NULL) AS made
FROM zeke_jobs.migration AS m
LEFT JOIN LATERAL unnest(m.made) WITH ORDINALITY AS o (object, n) ON true
WHERE m.package <> 'zeke_jobs'
GROUP BY m.package
ORDER BY m.package
