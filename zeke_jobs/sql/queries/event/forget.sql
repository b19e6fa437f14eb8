-- Delete events older than thirty days.
DELETE FROM zeke_jobs.event AS e WHERE e.emitted_on < zeke_jobs.now() - interval '30 days'
