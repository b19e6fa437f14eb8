-- Ask for the end of a job to be announced on channel zeke_jobs.done. No row: it has ended already, or is unknown.
SELECT a.state::text
FROM zeke_jobs.await_end(CAST(%(id)s AS uuid)) AS a (state)
WHERE a.state IS NOT NULL
