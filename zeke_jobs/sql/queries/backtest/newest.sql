-- Skip a given number of the newest jobs that were sent before a given time. Return when the next older job was sent, or NULL if there is none.
SELECT (
  SELECT q.created_on FROM zeke_jobs.queue AS q WHERE q.created_on < %(end)s
  ORDER BY q.created_on DESC OFFSET %(jobs)s LIMIT 1) AS created_on
