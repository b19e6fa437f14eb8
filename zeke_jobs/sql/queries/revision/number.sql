-- Number of the revision in force, for the look that processes take once a second.
SELECT coalesce(max(number), 0) AS number
FROM zeke_jobs.revision
