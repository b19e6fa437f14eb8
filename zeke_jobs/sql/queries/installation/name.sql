-- Return the name of the installation that owns this database.
SELECT name FROM zeke_jobs.installation
