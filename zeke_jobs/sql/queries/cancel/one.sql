-- Cancel a queued job at once; mark an active one, which its worker then cancels before it starts, or stops. A finished one stays as it
-- is: no row. Answers the state, and whether an active one is known to have started.
SELECT c.state::text, c.has_started
FROM zeke_jobs.cancel(CAST(%(id)s AS uuid), CAST(%(reason)s AS text), CAST(%(by)s AS text)) AS c
WHERE c.state IS NOT NULL
