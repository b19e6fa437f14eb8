-- Pauses by people and by jobs.yaml, with the number of jobs that each holds back.
SELECT x.target, x.paused_by, x.paused_on, x.reason, count(q.message_id) AS waiting
FROM (
  SELECT p.target, p.paused_by, p.paused_on, p.reason
  FROM zeke_jobs.pause AS p
  UNION ALL
  SELECT 'task/' || t.id, 'jobs.yaml', r.applied_on, ''
  FROM zeke_jobs.task AS t
  LEFT JOIN zeke_jobs.revision AS r ON r.number = t.revision
  WHERE t.paused
) AS x
LEFT JOIN zeke_jobs.task AS t
  ON x.target IN ('task/' || t.id, 'queue/' || t.queue) OR starts_with(x.target, 'limit/') AND x.target = ANY (t.gates)
LEFT JOIN zeke_jobs.queue AS q ON q.task = t.id AND q.queue_name = t.queue AND q.state = 'queued' AND q.deaths = 0
GROUP BY x.target, x.paused_by, x.paused_on, x.reason
ORDER BY x.target, x.paused_on
