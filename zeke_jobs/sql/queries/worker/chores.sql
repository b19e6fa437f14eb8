-- The chores that are due; thorough: also those whose search reads all queued jobs.
SELECT zeke_jobs.chores(%(thorough)s) AS chores
