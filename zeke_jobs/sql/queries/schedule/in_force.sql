-- Every schedule in force, with how far it has come. A schedule that nobody has looked at yet began when jobs.yaml was put in force.
SELECT
  t.id AS task,
  t.cron,
  s.cron AS known_cron,
  s.timezone AS known_timezone,
  s.decided_to,
  r.applied_on,
  p.paused_by,
  p.paused_on
FROM zeke_jobs.task AS t
LEFT JOIN zeke_jobs.revision AS r ON r.number = t.revision
LEFT JOIN zeke_jobs.schedule_state AS s ON s.task = t.id
LEFT JOIN zeke_jobs.pause AS p ON p.target = 'schedule/' || t.id
WHERE t.cron IS NOT NULL AND (%(task)s::text IS NULL OR t.id = %(task)s)
ORDER BY t.id
