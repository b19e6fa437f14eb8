-- Whether this database has the table that names its owner.
SELECT 1 AS found
WHERE to_regclass('zeke_jobs.installation') IS NOT NULL
