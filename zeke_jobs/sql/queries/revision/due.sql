-- Paths of the overrides in force that are over: their time has come, or the jobs of the removed task have ended.
SELECT o AS path FROM zeke_jobs.overrides_over() AS o
