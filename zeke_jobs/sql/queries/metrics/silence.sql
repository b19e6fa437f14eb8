-- For the metrics, return the time since a scheduler last handled all schedules, or no row if there are no schedules.
SELECT extract(epoch FROM zeke_jobs.now() - b.beat_on) AS scheduler_silence_seconds
FROM zeke_jobs.schedule_beat AS b WHERE EXISTS (SELECT 1 FROM zeke_jobs.schedule)
