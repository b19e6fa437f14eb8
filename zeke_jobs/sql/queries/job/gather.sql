-- Adapt queued jobs to the new name, queue or order_hold of their tasks.
SELECT was, was_in, task, queue, jobs FROM zeke_jobs.gather(%(limit)s)
