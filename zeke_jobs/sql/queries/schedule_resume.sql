-- End the pause of a schedule.
DELETE FROM zeke_jobs.pause
WHERE target = 'schedule/' || %(task)s
