-- A past time: the present minus a duration.
SELECT zeke_jobs.now() - %(recent)s::interval AS since
