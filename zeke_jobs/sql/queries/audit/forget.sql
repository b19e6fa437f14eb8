-- Forget what was changed by hand 400 days ago.
SELECT zeke_jobs.forget_audit()
