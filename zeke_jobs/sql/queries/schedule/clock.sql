-- The database's time.
SELECT zeke_jobs.now() AS now
