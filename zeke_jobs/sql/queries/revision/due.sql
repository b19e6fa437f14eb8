-- Return the indexes of the overrides of jobs.yaml that must end: they have expired, or their task was removed and has no jobs left.
SELECT o AS place FROM zeke_jobs.overrides_over() AS o
