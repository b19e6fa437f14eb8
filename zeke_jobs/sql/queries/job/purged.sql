-- Return what the history has about a purged job.
SELECT h.name, h.state::text, h.completed_on
FROM zeke_jobs.finished AS h WHERE h.id = CAST(%(id)s AS uuid) AND h.purged_on IS NOT NULL
