-- Time since a scheduler last handled all schedules, at most since there was a schedule.
SELECT zeke_jobs.now() - greatest(b.beat_on, s.since) AS silence
FROM (
  SELECT min(p.updated_on) AS since FROM zeke_jobs.schedule AS p
) AS s
LEFT JOIN zeke_jobs.schedule_beat AS b ON true
WHERE s.since IS NOT NULL
