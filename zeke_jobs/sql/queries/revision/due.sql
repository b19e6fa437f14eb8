-- The overrides in force that must end, as positions in their list: their time is over, or the removed task that they keep has no unfinished jobs
-- left.
SELECT o AS place FROM zeke_jobs.overrides_over() AS o
