-- Prove life.
SELECT alive, revision, alone
FROM zeke_jobs.heartbeat(%(worker)s::uuid, %(busy)s, %(revision)s, %(stopping)s)
