-- Delete the progress of schedules that left jobs.yaml or were deleted. Ticks are kept for ninety days, like the history of jobs; each task's
-- last tick is kept longer.
WITH left_the_file AS (
  DELETE FROM zeke_jobs.schedule_state AS s
  WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.planned AS p WHERE p.schedule = s.task)
)
DELETE FROM zeke_jobs.tick AS k
WHERE k.decided_on < zeke_jobs.now() - interval '90 days'
  AND EXISTS (SELECT 1 FROM zeke_jobs.tick AS l WHERE l.task = k.task AND l.scheduled_for > k.scheduled_for)
