-- Return the positions of the overrides of jobs.yaml that must end, because their time is over or the removed task that they keep has no jobs left.
SELECT o AS place FROM zeke_jobs.overrides_over() AS o
