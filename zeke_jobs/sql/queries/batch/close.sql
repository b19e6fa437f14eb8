-- Close a batch; false where it is closed already.
SELECT zeke_jobs.close_batch(CAST(%(id)s AS text)) AS closed
