-- Return the queued jobs of a task, in the order in which they are claimed. Jobs that must run alone come first. Sensitive fields are masked.
SELECT n.id, n.attempt, n.deaths, n.priority, n.run_at, j.key, j.waiting_for
FROM (
  (SELECT l.id, l.attempt, l.deaths, l.priority, l.run_at, l.seq
   FROM (
     SELECT q.message_id AS id, q.task, q.attempt, q.deaths, q.priority, q.run_at, q.seq
     FROM zeke_jobs.queue AS q WHERE q.state = 'queued' AND q.deaths > 1
     ORDER BY q.deaths, q.expires_on -- this order makes the planner use the index queue_apart
     LIMIT 1000) AS l
   WHERE l.task = %(task)s LIMIT %(most)s)
  UNION ALL
  (SELECT l.id, l.attempt, l.deaths, l.priority, l.run_at, l.seq
   FROM zeke_jobs.task AS t
   CROSS JOIN LATERAL (
     SELECT q.message_id AS id, q.attempt, q.deaths, q.priority, q.run_at, q.seq
     FROM zeke_jobs.queue AS q WHERE q.state = 'queued' AND q.deaths < 2 AND q.queue_name = t.queue AND q.task = t.id
     ORDER BY q.priority DESC, q.run_at, q.seq LIMIT %(most)s) AS l
   WHERE t.id = %(task)s)) AS n
-- OFFSET 0 keeps the planner from flattening the subquery, so that it looks up each job by its id instead of reading the whole index.
CROSS JOIN LATERAL (SELECT o.key, o.waiting_for FROM zeke_jobs.job AS o WHERE o.id = n.id OFFSET 0) AS j
ORDER BY n.deaths < 2, CASE WHEN n.deaths < 2 THEN n.priority END DESC, n.run_at, n.seq
