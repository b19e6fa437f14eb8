-- Lock the catalogue, so that only one process at a time changes the revision in force.
SELECT zeke_jobs.lock_catalogue()
