-- How long no scheduler has got through, counted from when there was something to schedule at the earliest.
SELECT zeke_jobs.now() - greatest(b.beat_on, s.since) AS silence
FROM (
  SELECT min(p.begun_on) AS since FROM zeke_jobs.planned AS p
) AS s
LEFT JOIN zeke_jobs.schedule_beat AS b ON true
WHERE s.since IS NOT NULL
