-- Close a batch; false if it is already closed.
SELECT zeke_jobs.close_batch(CAST(%(id)s AS text)) AS closed
