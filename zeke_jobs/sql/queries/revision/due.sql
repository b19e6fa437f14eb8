-- Return the positions of overrides that must end: their time is over, or the removed task that they keep has no unfinished jobs left.
SELECT o AS place FROM zeke_jobs.overrides_over() AS o
