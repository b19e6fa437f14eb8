-- Hold all limits, in the order in which claims take them: who claims now waits, and then obeys the new ones.
SELECT name
FROM zeke_jobs.gate
ORDER BY name
FOR UPDATE
