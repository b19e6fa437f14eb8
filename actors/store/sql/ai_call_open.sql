-- A call that begins, with the most that it may cost; or, if the model rests, until when and why.
WITH resting AS (
  SELECT r.until, r.why FROM public.rests AS r WHERE r.who = %(who)s AND r.until > zeke_jobs.now() AND %(cost)s::numeric IS DISTINCT FROM 0
), opened AS (
  INSERT INTO public.ai_calls (day, operation, story_id, job_id, task, model_asked, prompt, reserved_usd)
  SELECT
    (zeke_jobs.now() AT TIME ZONE 'UTC')::date, %(operation)s, %(story_id)s::uuid, %(job_id)s::uuid, %(task)s, %(model)s, %(prompt)s,
    %(cost)s::numeric
  WHERE NOT EXISTS (SELECT FROM resting)
  RETURNING id
)
SELECT opened.id, NULL::timestamptz AS until, NULL AS why FROM opened
UNION ALL
SELECT NULL, resting.until, resting.why FROM resting
