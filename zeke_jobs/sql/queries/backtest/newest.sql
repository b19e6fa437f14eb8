-- The send time of the job after which exactly the given number of jobs were sent, all before a given time; NULL if there are fewer.
SELECT (
  SELECT q.created_on FROM zeke_jobs.queue AS q WHERE q.created_on < %(end)s
  ORDER BY q.created_on DESC OFFSET %(jobs)s LIMIT 1) AS created_on
