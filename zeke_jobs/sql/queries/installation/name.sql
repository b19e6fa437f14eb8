-- Whose database this is.
SELECT name
FROM zeke_jobs.installation
