-- The number of pg-boss's schema (24 is pg-boss 10, 25 is 11, from 26 on it is 12), and the time "recent" before now.
SELECT max(v.version) AS version, zeke_jobs.now() - %(recent)s::interval AS since
FROM version AS v
