-- The chores that are due. thorough: also chores that may need all queued jobs to be read.
SELECT zeke_jobs.chores(%(thorough)s) AS chores
