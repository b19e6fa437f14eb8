-- Whether the schema has a table; without "migration", the database was never migrated.
SELECT to_regclass('zeke_jobs.' || %(table)s) IS NOT NULL AS found
