-- Of the jobs sent before a time, skip the newest (as many as the parameter jobs says). Return when the next one was sent, or NULL if there is none.
SELECT (
  SELECT q.created_on FROM zeke_jobs.queue AS q WHERE q.created_on < %(end)s
  ORDER BY q.created_on DESC OFFSET %(jobs)s LIMIT 1) AS created_on
