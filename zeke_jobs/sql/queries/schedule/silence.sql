-- Return the time since a scheduler last handled all schedules, or since the oldest schedule was put in force, if that time is shorter.
SELECT zeke_jobs.now() - greatest(b.beat_on, s.since) AS silence
FROM (
  SELECT min(p.updated_on) AS since FROM zeke_jobs.schedule AS p
) AS s
LEFT JOIN zeke_jobs.schedule_beat AS b ON true
WHERE s.since IS NOT NULL
