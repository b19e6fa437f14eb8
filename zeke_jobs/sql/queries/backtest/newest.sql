-- When the job was sent before which so many others were; NULL when there are fewer. For those that are still in the table.
SELECT (
  SELECT q.created_on FROM zeke_jobs.queue AS q
  WHERE q.created_on < %(end)s
  ORDER BY q.created_on DESC OFFSET %(jobs)s LIMIT 1) AS created_on
