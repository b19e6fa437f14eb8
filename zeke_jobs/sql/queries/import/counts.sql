-- Number of a pg-boss's jobs, by name and state.
SELECT c.name, c.state, c.jobs::integer AS jobs, c.later::integer AS later
FROM zeke_jobs.pg_boss_counts(%(schema)s::text, %(since)s::timestamptz) AS c
