-- Make the tasks what jobs.yaml says.
SELECT zeke_jobs.write_tasks(%(revision)s, %(tasks)s::jsonb)
