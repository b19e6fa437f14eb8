-- Return all names that send accepts, for suggesting the nearest name.
SELECT n.name FROM zeke_jobs.task_names() AS n (name)
