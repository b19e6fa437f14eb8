-- Return the indexes of the overrides of jobs.yaml that must end: their time is over, or their task was removed and has no jobs left.
SELECT o AS place FROM zeke_jobs.overrides_over() AS o
