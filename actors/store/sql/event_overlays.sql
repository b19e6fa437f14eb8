-- The overlays of a story and of its event's other analysed stories, locked in a fixed order until the transaction ends, with the number of sources.
SELECT
  o.story_id, o.why_it_matters, o.citations, o.brief_one_liner, o.brief_two_liner, o.brief_elevator, m.summary,
  (SELECT public.story_event_sources(%(story_id)s::uuid)) AS sources
FROM public.story_overlays AS o
JOIN public.stories AS m ON m.id = o.story_id
WHERE m.id = %(story_id)s::uuid
  OR (m.cluster_id = (SELECT s.cluster_id FROM public.stories AS s WHERE s.id = %(story_id)s::uuid) AND o.citations ? 'chili')
ORDER BY o.story_id
FOR UPDATE OF o
