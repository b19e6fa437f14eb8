-- A call that begins, with its greatest possible cost set aside; no row where the day's budget has no room for it.
WITH granted AS (
  INSERT INTO public.ai_days AS d (day, reserved_usd)
  SELECT (zeke_jobs.now() AT TIME ZONE 'UTC')::date, coalesce(%(cost)s::numeric, 0)
  WHERE %(budget)s::numeric IS NULL OR coalesce(%(cost)s::numeric, 0) <= %(budget)s::numeric
  ON CONFLICT (day) DO UPDATE
  SET reserved_usd = d.reserved_usd + EXCLUDED.reserved_usd
  WHERE %(budget)s::numeric IS NULL
    OR d.reserved_usd + d.spent_usd + EXCLUDED.reserved_usd <= %(budget)s::numeric
  RETURNING d.day
)
INSERT INTO public.ai_calls (day, operation, story_id, job_id, task, model_asked, prompt, reserved_usd)
SELECT
  granted.day, %(operation)s, %(story_id)s::uuid, %(job_id)s::uuid, %(task)s, %(model)s, %(prompt)s, %(cost)s::numeric
FROM granted
RETURNING id
