-- Move finished jobs to the history, at most a given number of them.
SELECT p.purged, p.reached
FROM zeke_jobs.purge(%(task)s, %(status)s::zeke_jobs.job_status, %(after)s::timestamptz, %(before)s::timestamptz, %(limit)s) AS p
