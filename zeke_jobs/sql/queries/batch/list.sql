-- Return one batch by its id, or the newest batches.
SELECT
  b.id, b.state, b.jobs::integer, b.unfinished::integer, b.completed::integer, b.failed::integer, b.cancelled::integer,
  b.after_failure, b.then_task, b.then_job::text, b.then_outcome, b.created_on, b.ended_on, b.cancelled_on
FROM zeke_jobs.batch_state AS b WHERE CAST(%(id)s AS text) IS NULL OR b.id = CAST(%(id)s AS text)
ORDER BY b.created_on DESC LIMIT CAST(%(limit)s AS integer)
