-- Return the maintenance work (chores) that is due. If "thorough" is true, also look for chores that are only found by reading many jobs.
SELECT zeke_jobs.chores(%(thorough)s) AS chores
