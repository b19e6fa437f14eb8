-- Return the newest failed jobs. Sensitive fields are masked.
SELECT n.id, n.task, n.attempt, n.completed_on, j.error ->> 'type' AS type, j.error ->> 'message' AS message
FROM (
  SELECT l.id, l.task, l.attempt, l.completed_on
  FROM zeke_jobs.task AS t
  CROSS JOIN LATERAL (
    SELECT q.message_id AS id, q.task, q.attempt, q.completed_on
    FROM zeke_jobs.queue AS q WHERE q.state = 'rejected' AND q.cancelled_on IS NULL AND q.task = t.id
    ORDER BY q.completed_on DESC LIMIT %(most)s) AS l
  ORDER BY l.completed_on DESC LIMIT %(most)s) AS n
JOIN zeke_jobs.job AS j ON j.id = n.id
ORDER BY n.completed_on DESC
