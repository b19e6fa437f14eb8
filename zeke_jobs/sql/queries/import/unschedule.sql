-- Remove a schedule of a pg-boss.
SELECT zeke_jobs.pg_boss_unschedule(%(schema)s::text, %(name)s::text, %(key)s::text)
