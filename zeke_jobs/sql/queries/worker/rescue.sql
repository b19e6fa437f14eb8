-- Return the jobs of lost processes to the queue.
SELECT message_id, task, deaths, outcome FROM zeke_jobs.rescue()
