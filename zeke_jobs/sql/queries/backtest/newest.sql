-- The send time of the job that only so many newer jobs in the table follow; NULL if there are fewer.
SELECT (
  SELECT q.created_on FROM zeke_jobs.queue AS q
  WHERE q.created_on < %(end)s
  ORDER BY q.created_on DESC OFFSET %(jobs)s LIMIT 1) AS created_on
