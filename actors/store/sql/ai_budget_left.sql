-- Today's budget: the sums spent and reserved, and the beginning of the next day.
SELECT
  coalesce(d.spent_usd, 0) AS spent,
  coalesce(d.reserved_usd, 0) AS reserved,
  (date_trunc('day', zeke_jobs.now() AT TIME ZONE 'UTC') + interval '1 day') AT TIME ZONE 'UTC' AS tomorrow
FROM (SELECT (zeke_jobs.now() AT TIME ZONE 'UTC')::date AS day) AS today
LEFT JOIN public.ai_days AS d ON d.day = today.day
