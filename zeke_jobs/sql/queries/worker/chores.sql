-- Return the chores that are due. If thorough, chores that may need all queued jobs to be read are included.
SELECT zeke_jobs.chores(%(thorough)s) AS chores
