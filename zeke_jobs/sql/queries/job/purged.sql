-- Return the name, the status and the end of a purged job, which the history keeps.
SELECT h.name, h.state::text, h.completed_on
FROM zeke_jobs.finished AS h WHERE h.id = CAST(%(id)s AS uuid) AND h.purged_on IS NOT NULL
