-- Prove life, and return the chores that are due.
SELECT alive, revision, alone, zeke_jobs.chores() AS chores
FROM zeke_jobs.heartbeat(%(worker)s::uuid, %(busy)s, %(revision)s, %(stopping)s)
