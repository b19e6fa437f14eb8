-- The time so long ago.
SELECT zeke_jobs.now() - %(recent)s::interval AS since
