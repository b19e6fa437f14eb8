-- Let queued jobs follow their tasks, which have got a new name or queue, or another order.
SELECT was, was_in, task, queue, jobs
FROM zeke_jobs.gather(%(limit)s)
