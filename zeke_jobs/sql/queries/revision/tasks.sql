-- Make the stored tasks equal to the tasks of jobs.yaml.
SELECT zeke_jobs.write_tasks(%(revision)s, %(tasks)s::jsonb)
