-- Cancel a queued job at once. Mark an active one: its worker then cancels it before its start, or stops it. A finished job
-- stays unchanged: no row. Returns the state, and whether the job is known to have started.
SELECT c.state::text, c.has_started
FROM zeke_jobs.cancel(CAST(%(id)s AS uuid), CAST(%(reason)s AS text), CAST(%(by)s AS text)) AS c
WHERE c.state IS NOT NULL
