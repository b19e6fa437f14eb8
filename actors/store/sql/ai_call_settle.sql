-- End a call, once: where its cost is unknown, the most that it may have cost counts. A good answer is kept and replaces an older one.
WITH ended AS (
  UPDATE public.ai_calls
  SET
    outcome = %(outcome)s,
    detail = %(detail)s,
    model_answered = %(model_answered)s,
    input_tokens = %(input_tokens)s,
    output_tokens = %(output_tokens)s,
    cost_usd = CASE WHEN %(is_charged)s THEN coalesce(%(cost)s, reserved_usd) ELSE 0 END,
    latency_ms = %(latency_ms)s,
    settled_at = zeke_jobs.now()
  WHERE id = %(id)s::uuid AND settled_at IS NULL
  RETURNING cost_usd
),
kept AS (
  INSERT INTO public.ai_answers (key, answer)
  SELECT k.key, k.answer FROM (SELECT %(key)s::text AS key, %(answer)s::jsonb AS answer) AS k
  WHERE k.key IS NOT NULL
  ON CONFLICT (key) DO UPDATE SET answer = EXCLUDED.answer, created_at = zeke_jobs.now()
)
SELECT e.cost_usd FROM ended AS e
