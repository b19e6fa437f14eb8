-- Record that a scheduler has handled all schedules.
INSERT INTO zeke_jobs.schedule_beat (beat_on, scheduler)
VALUES (zeke_jobs.now(), %(scheduler)s::uuid)
ON CONFLICT (singleton) DO UPDATE
SET beat_on = excluded.beat_on, scheduler = excluded.scheduler
