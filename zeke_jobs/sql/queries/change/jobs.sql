-- Change at most a given number of matching jobs, in the order of their ids, beginning after a given id.
SELECT c.changed::text[], c.passed::text[], c.last::text
FROM zeke_jobs.change_jobs(
  CAST(%(change)s AS text), CAST(%(filter)s AS jsonb), CAST(%(value)s AS jsonb), CAST(%(reason)s AS text), CAST(%(by)s AS text),
  CAST(%(after)s AS uuid), CAST(%(most)s AS integer)) AS c
