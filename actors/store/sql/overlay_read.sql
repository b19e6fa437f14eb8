-- A story's overlay, or nulls if it has none yet.
SELECT
  o.why_it_matters,
  o.citations,
  o.brief_one_liner,
  o.brief_two_liner,
  o.brief_elevator,
  s.summary
FROM public.stories AS s
LEFT JOIN public.story_overlays AS o ON o.story_id = s.id
WHERE s.id = %(story_id)s::uuid
