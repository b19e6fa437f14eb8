-- Request the announcement of a job's end on channel zeke_jobs.done. No row: the job has ended or is unknown.
SELECT a.state::text
FROM zeke_jobs.await_end(CAST(%(id)s AS uuid)) AS a (state)
WHERE a.state IS NOT NULL
