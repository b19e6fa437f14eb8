-- Forget how far schedules had come that left jobs.yaml, or were deleted. Ticks are kept for ninety days, as the history of jobs is; the last one of a
-- task for as long as it is the last.
WITH left_the_file AS (
  DELETE FROM zeke_jobs.schedule_state AS s
  WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.planned AS p WHERE p.schedule = s.task)
)
DELETE FROM zeke_jobs.tick AS k
WHERE k.decided_on < zeke_jobs.now() - interval '90 days'
  AND EXISTS (SELECT 1 FROM zeke_jobs.tick AS l WHERE l.task = k.task AND l.scheduled_for > k.scheduled_for)
