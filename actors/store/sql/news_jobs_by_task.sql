-- How many jobs of each task are in each state. Digests are left out, because they belong to no single story.
SELECT j.name AS task, j.state::text AS state, count(*) AS jobs
FROM zeke_jobs.job AS j
WHERE j.data ->> 'period' IS NULL
GROUP BY j.name, j.state
ORDER BY j.name, j.state
