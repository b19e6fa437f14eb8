-- A story's overlay, locked against other writers until the transaction ends.
SELECT
  o.story_id, o.why_it_matters, o.citations, o.brief_one_liner, o.brief_two_liner, o.brief_elevator, s.summary
FROM public.story_overlays AS o
JOIN public.stories AS s ON s.id = o.story_id
WHERE o.story_id = %(story_id)s::uuid
FOR UPDATE OF o
