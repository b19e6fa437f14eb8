-- Return the time of the database.
SELECT zeke_jobs.now() AS now
