-- Delete the state of schedules that no longer exist, and ticks older than ninety days, but never the last tick of a schedule.
WITH left_the_file AS (
  DELETE FROM zeke_jobs.schedule_state AS s WHERE s.task = ANY (ARRAY(
    SELECT o.task FROM zeke_jobs.schedule_state AS o
    WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.planned AS p WHERE p.schedule = o.task)
    FOR UPDATE SKIP LOCKED))
)
DELETE FROM zeke_jobs.tick AS k WHERE k.ctid = ANY (ARRAY(
  SELECT o.ctid FROM zeke_jobs.tick AS o WHERE o.decided_on < zeke_jobs.now() - interval '90 days'
    AND EXISTS (SELECT 1 FROM zeke_jobs.tick AS l WHERE l.task = o.task AND l.scheduled_for > o.scheduled_for)
  FOR UPDATE SKIP LOCKED))
