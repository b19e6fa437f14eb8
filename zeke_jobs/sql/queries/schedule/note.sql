-- Which waits became too long since the last look of any process, and which no longer are.
SELECT b.task, b.event, b.max_wait, b.wait, b.since
FROM zeke_jobs.note_breaches() AS b
ORDER BY b.task
