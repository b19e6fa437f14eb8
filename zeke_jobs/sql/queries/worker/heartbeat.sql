-- Prove life; returns whether this process still counts as alive, and the revision in force.
SELECT alive, revision
FROM zeke_jobs.heartbeat(%(worker)s::uuid, %(busy)s, %(revision)s, %(stopping)s)
