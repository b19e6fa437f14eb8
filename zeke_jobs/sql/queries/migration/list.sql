-- Applied migrations, in order.
SELECT package, name, checksum, breaking, applied_on
FROM zeke_jobs.migration
ORDER BY applied_on, package, name
