-- Return how many jobs a job sent, by task and status, and the first three jobs for each task and status.
SELECT
  q.task, zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on)::text AS status, count(*) AS jobs,
  (array_agg(q.message_id ORDER BY q.seq))[1:3] AS first
FROM zeke_jobs.queue AS q WHERE q.parent = %(id)s::uuid
GROUP BY 1, 2
ORDER BY 1, 2
