-- Return the send time after which exactly "jobs" jobs were sent before the time "end", or NULL if fewer jobs were sent.
SELECT (
  SELECT q.created_on FROM zeke_jobs.queue AS q WHERE q.created_on < %(end)s
  ORDER BY q.created_on DESC OFFSET %(jobs)s LIMIT 1) AS created_on
