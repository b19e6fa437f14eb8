-- Return the tasks whose oldest due job has waited longer than max_wait.
SELECT w.task, w.max_wait, w.wait FROM zeke_jobs.task_wait AS w WHERE w.is_late ORDER BY w.task
