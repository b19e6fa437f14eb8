-- Return the jobs of this worker that are being cancelled.
SELECT id, reason FROM zeke_jobs.cancelling(%(worker)s::uuid, %(held)s::uuid[])
