-- Return the name of the installation to which this database belongs.
SELECT name FROM zeke_jobs.installation
