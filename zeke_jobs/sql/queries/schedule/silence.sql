-- Return the time since a scheduler last handled all schedules. If the oldest schedule was put in force later, return the time since then.
SELECT zeke_jobs.now() - greatest(b.beat_on, s.since) AS silence
FROM (
  SELECT min(p.updated_on) AS since FROM zeke_jobs.schedule AS p
) AS s
LEFT JOIN zeke_jobs.schedule_beat AS b ON true
WHERE s.since IS NOT NULL
