-- Close a batch, and return false if the batch is already closed.
SELECT zeke_jobs.close_batch(CAST(%(id)s AS text)) AS closed
