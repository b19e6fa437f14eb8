-- Make the tasks equal to those of jobs.yaml.
SELECT zeke_jobs.write_tasks(%(revision)s, %(tasks)s::jsonb)
