-- Record breaches of max_wait that began or ended since the last call of any process.
SELECT b.task, b.event, b.max_wait, b.wait, b.since
FROM zeke_jobs.note_breaches() AS b
ORDER BY b.task
