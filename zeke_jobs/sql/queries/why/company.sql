-- If a job's chunk waits for more jobs, return how many jobs the chunk has, how many it may have, how long it may wait, and when the wait ends.
SELECT c.due, c.size, c.wait, c.until FROM zeke_jobs.chunk_wait AS c WHERE c.job = %(id)s::uuid
