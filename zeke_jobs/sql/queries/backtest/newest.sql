-- Skip the newest "jobs" jobs that were sent before the time "end", and return the send time of the next older job, or NULL if no job is left.
SELECT (
  SELECT q.created_on FROM zeke_jobs.queue AS q WHERE q.created_on < %(end)s
  ORDER BY q.created_on DESC OFFSET %(jobs)s LIMIT 1) AS created_on
