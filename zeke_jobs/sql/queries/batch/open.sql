-- Open a batch. A batch that is open already stays open. Return false if the batch is already closed.
SELECT zeke_jobs.try_open_batch(
  CAST(%(id)s AS text), CAST(%(task)s AS text), CAST(%(payload)s AS jsonb), CAST(%(after_failure)s AS text)) AS opened
