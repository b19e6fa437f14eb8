-- Return whether the schema zeke_jobs has this table. If the table "migration" is missing, the database was never migrated.
SELECT to_regclass('zeke_jobs.' || %(table)s) IS NOT NULL AS found
