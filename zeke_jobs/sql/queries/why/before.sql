-- The first job of the key of a job in strict order, if that is another job.
SELECT
  q.message_id AS id,
  q.task,
  zeke_jobs.status_of(q.state, q.attempt, q.cancelled_on)::text AS status,
  q.run_at,
  coalesce(q.completed_on, q.created_on) AS since
FROM zeke_jobs.queue AS q
WHERE q.ctid = (
    SELECT zeke_jobs.first_in_line(j.task, j.key) FROM zeke_jobs.queue AS j
    WHERE j.message_id = %(id)s::uuid AND j.order_hold IS NOT NULL)
  AND q.message_id <> %(id)s::uuid
