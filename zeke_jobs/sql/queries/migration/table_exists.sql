-- Return whether the schema has a table. Without the table "migration", the database was never migrated.
SELECT to_regclass('zeke_jobs.' || %(table)s) IS NOT NULL AS found
