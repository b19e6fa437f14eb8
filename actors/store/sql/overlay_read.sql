-- A story's overlay, or nulls if it has none yet.
SELECT
  o.why_it_matters,
  o.confidence,
  o.citations,
  o.analysis_state,
  o.analyzed_at,
  o.brief_one_liner,
  o.brief_two_liner,
  o.brief_elevator,
  o.time_saved_seconds,
  o.brief_generated_at,
  s.summary
FROM public.stories AS s
LEFT JOIN public.story_overlays AS o ON o.story_id = s.id
WHERE s.id = %(story_id)s::uuid
