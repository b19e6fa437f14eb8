-- The schedules of a pg-boss.
SELECT s.row::text AS schedule
FROM zeke_jobs.pg_boss_schedules(%(schema)s::text) AS s (row)
