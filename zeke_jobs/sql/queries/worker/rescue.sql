-- Put the jobs of lost processes back into the queue.
SELECT message_id, task, deaths, outcome FROM zeke_jobs.rescue()
