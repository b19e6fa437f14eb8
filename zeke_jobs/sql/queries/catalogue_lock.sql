-- One process at a time decides which revision is in force.
SELECT pg_advisory_xact_lock(hashtext('zeke_jobs.catalogue'))
