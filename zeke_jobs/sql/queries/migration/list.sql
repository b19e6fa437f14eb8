-- Return the applied migrations, in order. version is NULL if the migration was applied by an old release of zeke-jobs, which did not record its version.
SELECT package, name, checksum, breaking, applied_on, to_jsonb(m) ->> 'version' AS version
FROM zeke_jobs.migration AS m
ORDER BY applied_on, package, name
