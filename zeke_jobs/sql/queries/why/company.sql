-- The due jobs that a job's chunk would have now, if it waits for more: their number, the chunk's size and wait, and the end of the wait.
SELECT c.due, c.size, c.wait, c.until
FROM zeke_jobs.chunk_wait AS c
WHERE c.job = %(id)s::uuid
