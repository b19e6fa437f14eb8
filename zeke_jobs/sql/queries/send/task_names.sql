-- Every name that send accepts, to find the nearest one.
SELECT n.name
FROM zeke_jobs.task_names() AS n (name)
