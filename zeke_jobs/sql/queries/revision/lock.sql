-- One process at a time decides which revision is in force.
SELECT zeke_jobs.lock_catalogue()
