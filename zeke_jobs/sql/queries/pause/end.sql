-- End a pause, and wake the workers that can claim again.
SELECT zeke_jobs.resume(%(target)s, %(by)s) AS changed
