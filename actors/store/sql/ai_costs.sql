-- Calls to models and their costs since a day, grouped by "by". `unknown` counts calls of a model without a stated price.
SELECT
  CASE %(by)s
    WHEN 'day' THEN c.day::text
    WHEN 'task' THEN c.task
    WHEN 'model' THEN coalesce(c.model_answered, c.model_asked)
    WHEN 'outcome' THEN c.outcome
    ELSE coalesce(s.title, c.story_id::text, '(none)')
  END AS name,
  count(*) AS calls,
  count(*) FILTER (WHERE c.outcome = 'cached') AS cached,
  count(*) FILTER (WHERE c.outcome NOT IN ('ok', 'cached', 'open')) AS failed,
  sum(c.input_tokens) AS input_tokens,
  sum(c.output_tokens) AS output_tokens,
  sum(c.cost_usd) AS cost_usd,
  sum(c.reserved_usd) FILTER (WHERE c.settled_at IS NULL) AS reserved_usd,
  count(*) FILTER (WHERE c.cost_usd IS NULL AND c.settled_at IS NOT NULL) AS unknown,
  round(avg(c.latency_ms) FILTER (WHERE c.outcome = 'ok')) AS latency_ms
FROM public.ai_calls AS c
LEFT JOIN public.stories AS s ON s.id = c.story_id
WHERE c.day >= %(since)s::date
  AND (%(story_id)s::uuid IS NULL OR c.story_id = %(story_id)s::uuid)
GROUP BY 1
ORDER BY sum(c.cost_usd) DESC NULLS LAST, 1
LIMIT %(limit)s
