-- How long no scheduler has got through, counted from when there was something to schedule at the earliest.
SELECT zeke_jobs.now() - greatest(b.beat_on, s.since) AS silence
FROM (
  SELECT min(r.applied_on) AS since
  FROM zeke_jobs.task AS t
  JOIN zeke_jobs.revision AS r ON r.number = t.revision
  WHERE t.cron IS NOT NULL
) AS s
LEFT JOIN zeke_jobs.schedule_beat AS b ON true
WHERE s.since IS NOT NULL
