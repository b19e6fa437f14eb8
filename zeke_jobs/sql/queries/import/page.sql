-- The next jobs of a pg-boss.
SELECT j.row::text AS job
FROM zeke_jobs.pg_boss_jobs(
  %(schema)s::text, %(names)s::text[], %(states)s::text[], %(since)s::timestamptz, %(after_time)s::timestamptz, %(after)s::uuid,
  %(most)s::integer, %(lock)s::boolean) AS j (row)
