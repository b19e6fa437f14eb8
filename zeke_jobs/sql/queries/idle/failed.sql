-- Count the jobs of these queues that failed for good since a given time, and return the first of them, up to a maximum. Sensitive fields are masked.
SELECT n.number, n.id, n.task, j.error ->> 'type' AS type, j.error ->> 'message' AS message
FROM (
  SELECT q.message_id AS id, q.task, q.completed_on, count(*) OVER () AS number
  FROM zeke_jobs.task AS t
  JOIN zeke_jobs.queue AS q ON q.task = t.id AND q.state = 'rejected' AND q.cancelled_on IS NULL AND q.completed_on >= %(since)s
  WHERE t.queue = ANY (%(queues)s)
  ORDER BY q.completed_on LIMIT %(most)s) AS n
JOIN zeke_jobs.job AS j ON j.id = n.id
ORDER BY n.completed_on
