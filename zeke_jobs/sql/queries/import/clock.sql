-- The time that lies this long before now.
SELECT zeke_jobs.now() - %(recent)s::interval AS since
