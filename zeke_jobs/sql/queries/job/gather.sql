-- Update queued jobs whose task has a new name, queue or order_hold (setting of strict order).
SELECT was, was_in, task, queue, jobs FROM zeke_jobs.gather(%(limit)s)
