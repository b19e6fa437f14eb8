-- How many jobs of each task are in each status, for the live view and the last table.
SELECT
    j.name AS task,
    j.state::text AS status,
    count(*) AS jobs
FROM zeke_jobs.job AS j
-- A digest is of no one story.
WHERE j.data ->> 'period' IS NULL
GROUP BY j.name, j.state
ORDER BY j.name, j.state
