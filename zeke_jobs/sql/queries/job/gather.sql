-- Let queued jobs follow their tasks to new names and queues.
SELECT was, was_in, task, queue, jobs
FROM zeke_jobs.gather(%(limit)s)
