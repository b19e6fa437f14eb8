-- Return the positions (from 1) of the overrides of jobs.yaml that are to be dropped: they have expired, or their task was removed and has no jobs left.
SELECT o AS place FROM zeke_jobs.overrides_over() AS o
