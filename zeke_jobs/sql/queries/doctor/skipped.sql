-- Return the schedules whose last ticks were all skipped, because the job of an earlier tick is still queued.
SELECT s.task, q.message_id AS job, q.created_on AS queued_on, zeke_jobs.now() AS now, count(*)::integer AS skipped
FROM zeke_jobs.schedule_state AS s
CROSS JOIN LATERAL (
  SELECT t.job, t.outcome FROM zeke_jobs.tick AS t WHERE t.task = s.task ORDER BY t.scheduled_for DESC LIMIT 1
) AS last
JOIN zeke_jobs.queue AS q ON q.message_id = last.job AND q.state = 'queued'
JOIN zeke_jobs.tick AS t ON t.task = s.task AND t.scheduled_for >= q.created_on - interval '1 day' AND t.job = last.job AND t.outcome = 'skipped'
WHERE last.outcome = 'skipped'
GROUP BY s.task, q.message_id, q.created_on
HAVING count(*) > 1
ORDER BY s.task
