-- The version number of a pg-boss's schema; NULL if there is none of versions 10 to 12.
SELECT zeke_jobs.pg_boss_version(%(schema)s::text) AS version
