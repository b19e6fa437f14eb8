-- Cancel jobs that were not started in time.
SELECT zeke_jobs.expire(%(limit)s) AS count
