-- Delete audit entries older than 400 days.
SELECT zeke_jobs.forget_audit()
