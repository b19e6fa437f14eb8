-- Number of the revision in force; processes check it once a second.
SELECT coalesce(max(number), 0) AS number
FROM zeke_jobs.revision
