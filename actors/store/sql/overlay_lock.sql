-- A story's overlay, locked against other writers until the transaction ends.
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
FROM public.story_overlays AS o
JOIN public.stories AS s ON s.id = o.story_id
WHERE o.story_id = %(story_id)s::uuid
FOR UPDATE OF o
