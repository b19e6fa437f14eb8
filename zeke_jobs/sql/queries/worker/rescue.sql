-- Return the jobs of processes that are lost.
SELECT message_id, task, deaths, outcome
FROM zeke_jobs.rescue()
