-- Return the migrations in the order in which they were applied. version is NULL if an old release of zeke-jobs, which recorded none, applied the migration.
SELECT package, name, checksum, breaking, applied_on, to_jsonb(m) ->> 'version' AS version
FROM zeke_jobs.migration AS m
ORDER BY applied_on, package, name
