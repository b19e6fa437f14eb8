-- The database's time, minus the given interval.
SELECT zeke_jobs.now() - %(recent)s::interval AS since
