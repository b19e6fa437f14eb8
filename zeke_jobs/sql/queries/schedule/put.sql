-- Store or change a schedule.
SELECT zeke_jobs.put_schedule(
  CAST(%(name)s AS text), CAST(%(task)s AS text), CAST(%(at)s AS text), CAST(%(timezone)s AS text), CAST(%(payload)s AS jsonb),
  CAST(%(key)s AS text), CAST(%(options)s AS jsonb), CAST(%(by)s AS text))::text
