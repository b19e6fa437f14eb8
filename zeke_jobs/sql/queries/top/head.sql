-- Return the time, the installation, the revision in force, the number of unfinished batches, and when a scheduler last handled all schedules.
SELECT
  zeke_jobs.now() AS now,
  (SELECT i.name FROM zeke_jobs.installation AS i) AS environment,
  (SELECT coalesce(max(r.number), 0) FROM zeke_jobs.revision AS r) AS revision,
  (SELECT b.beat_on FROM zeke_jobs.schedule_beat AS b) AS beat_on,
  (SELECT count(*) FROM zeke_jobs.batch AS b WHERE b.ended_on IS NULL AND b.cancelled_on IS NULL) AS batches
