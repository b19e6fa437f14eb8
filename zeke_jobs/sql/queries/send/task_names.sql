-- Return all names of tasks that a send accepts, so that the nearest name can be suggested.
SELECT n.name FROM zeke_jobs.task_names() AS n (name)
