-- Move finished jobs to the history. The parameter limit is the maximum number.
SELECT p.purged, p.reached
FROM zeke_jobs.purge(%(task)s, %(status)s::zeke_jobs.job_status, %(after)s::timestamptz, %(before)s::timestamptz, %(limit)s) AS p
