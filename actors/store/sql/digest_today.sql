-- Today's date in UTC.
SELECT (zeke_jobs.now() AT TIME ZONE 'UTC')::date AS today
