-- Let one process at a time change the revision in force.
SELECT zeke_jobs.lock_catalogue()
