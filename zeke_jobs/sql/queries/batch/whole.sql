-- Return whether failed jobs block the end of a batch, and whether the batch was cancelled.
SELECT b.after_failure = 'hold' AND b.ended_on IS NULL AS holds, b.cancelled_on IS NOT NULL AS is_cancelled
FROM zeke_jobs.batch_state AS b WHERE b.id = CAST(%(id)s AS text)
