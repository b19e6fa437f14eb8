-- What is past its time: each task's finished jobs by how they ended, and the moment before which they must have ended.
SELECT k.task, k.status::text AS status, zeke_jobs.now() - k.keep AS before
FROM zeke_jobs.keep() AS k
ORDER BY k.task, k.status
