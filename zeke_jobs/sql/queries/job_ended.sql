-- Which of these jobs are no longer queued or active; unknown ones count as ended.
SELECT a.id::text
FROM unnest(CAST(%(ids)s AS uuid[])) AS a (id)
LEFT JOIN zeke_jobs.queue AS q ON q.message_id = a.id
WHERE q.state IS NULL OR q.state IN ('done', 'rejected')
