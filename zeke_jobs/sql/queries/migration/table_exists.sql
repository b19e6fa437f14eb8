-- Whether this database was ever migrated.
SELECT 1 AS found
WHERE to_regclass('zeke_jobs.migration') IS NOT NULL
