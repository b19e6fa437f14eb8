-- Of the jobs that this worker holds: those that are being cancelled.
SELECT id, reason
FROM zeke_jobs.cancelling(%(worker)s::uuid, %(held)s::uuid[])
