-- Take the lock of the catalogue (the stored tasks and limits), so that only one process at a time puts a revision into force.
SELECT zeke_jobs.lock_catalogue()
