-- How many jobs a pg-boss has, by name and state.
SELECT c.name, c.state, c.jobs::integer AS jobs, c.later::integer AS later
FROM zeke_jobs.pg_boss_counts(%(schema)s::text, %(since)s::timestamptz) AS c
