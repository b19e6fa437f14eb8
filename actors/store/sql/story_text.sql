-- Stories for the AI step and the insights, each with its overlay and its current age.
SELECT
  f.id, f.title, f.summary, f.kind, f.happened_at, f.document, f.description, f.language, f.duration_seconds, f.source, f.authority,
  f.age_days,
  o.why_it_matters, o.citations, o.brief_one_liner, o.brief_two_liner, o.brief_elevator
FROM unnest(%(stories)s::uuid[]) AS asked (id)
CROSS JOIN LATERAL public.story_for_ai(asked.id) AS f
LEFT JOIN public.story_overlays AS o ON o.story_id = f.id
