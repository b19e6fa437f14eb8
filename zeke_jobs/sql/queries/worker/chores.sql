-- Return the maintenance work (chores) that is due. If "thorough" is true, also make the checks that may read many jobs.
SELECT zeke_jobs.chores(%(thorough)s) AS chores
