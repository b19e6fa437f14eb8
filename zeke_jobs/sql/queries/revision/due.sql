-- Places of overrides in force that are to end: their time is over, or the removed task has no unfinished jobs left.
SELECT o AS place FROM zeke_jobs.overrides_over() AS o
