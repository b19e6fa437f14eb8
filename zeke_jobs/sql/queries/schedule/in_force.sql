-- Return every schedule in force, and the time up to which its jobs were sent or skipped. A new schedule begins when it is stored or its jobs.yaml is applied.
SELECT
  t.schedule, t.task, t.names, t.key, t.put_by, t.cron, s.cron AS known_cron, s.timezone AS known_timezone,
  s.decided_to, t.begun_on AS applied_on, p.paused_by, p.paused_on
FROM zeke_jobs.planned AS t
LEFT JOIN zeke_jobs.schedule_state AS s ON s.task = t.schedule
LEFT JOIN zeke_jobs.pause AS p ON p.target = 'schedule/' || t.schedule
WHERE %(schedule)s::text IS NULL OR t.schedule = %(schedule)s
ORDER BY t.schedule
