-- The time, by the one clock.
SELECT zeke_jobs.now() AS now
