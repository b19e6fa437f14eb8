-- Cancel queued jobs that missed their start deadline.
SELECT zeke_jobs.expire(%(limit)s) AS count
