-- Return the maintenance work (chores) that is due. If "thorough" is true, include chores that can only be found by reading many jobs.
SELECT zeke_jobs.chores(%(thorough)s) AS chores
