-- The jobs that failed last.
SELECT n.id, n.task, n.attempt, n.completed_on, n.error ->> 'type' AS type, n.error ->> 'message' AS message
FROM zeke_jobs.task AS t
CROSS JOIN LATERAL (
  SELECT q.message_id AS id, q.task, q.attempt, q.completed_on, q.attempts -> -1 -> 'error' AS error
  FROM zeke_jobs.queue AS q
  WHERE q.state = 'rejected' AND q.cancelled_on IS NULL AND q.task = t.id
  ORDER BY q.completed_on DESC
  LIMIT %(most)s) AS n
ORDER BY n.completed_on DESC
LIMIT %(most)s
