-- Adapt queued jobs to their tasks, whose name, queue or order has changed.
SELECT was, was_in, task, queue, jobs FROM zeke_jobs.gather(%(limit)s)
