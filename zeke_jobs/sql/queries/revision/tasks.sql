-- Bring the tasks into line with jobs.yaml.
SELECT zeke_jobs.write_tasks(%(revision)s, %(tasks)s::jsonb)
