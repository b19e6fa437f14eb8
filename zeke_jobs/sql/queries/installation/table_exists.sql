-- Whether this database can say whose it is.
SELECT 1 AS found
WHERE to_regclass('zeke_jobs.installation') IS NOT NULL
