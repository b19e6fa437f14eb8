-- Set the greatest possible cost of a call aside if the day's budget has room for it; no row where it has not.
INSERT INTO public.ai_days AS d (day, reserved_usd)
SELECT (zeke_jobs.now() AT TIME ZONE 'UTC')::date, %(cost)s::numeric
WHERE %(budget)s::numeric IS NULL OR %(cost)s::numeric <= %(budget)s::numeric
ON CONFLICT (day) DO UPDATE
SET reserved_usd = d.reserved_usd + EXCLUDED.reserved_usd
WHERE %(budget)s::numeric IS NULL
  OR d.reserved_usd + d.spent_usd + EXCLUDED.reserved_usd <= %(budget)s::numeric
RETURNING d.day
