-- The number of the schema of a pg-boss; NULL where none of versions 10 to 12 is there.
SELECT zeke_jobs.pg_boss_version(%(schema)s::text) AS version
