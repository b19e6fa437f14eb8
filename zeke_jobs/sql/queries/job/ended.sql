-- The given jobs that are no longer queued or active; unknown ones count as ended.
SELECT a.id::text
FROM unnest(CAST(%(ids)s AS uuid[])) AS a (id)
LEFT JOIN zeke_jobs.job AS j ON j.id = a.id
WHERE j.state IS NULL OR j.state > 'active'
