-- The analyses of a story's event, locked until the transaction ends, always in the same order.
SELECT o.story_id, o.citations
FROM public.story_overlays AS o
JOIN public.stories AS m ON m.id = o.story_id
WHERE o.citations ? 'chili'
  AND (m.id = %(story_id)s::uuid OR m.cluster_id = (SELECT s.cluster_id FROM public.stories AS s WHERE s.id = %(story_id)s::uuid))
ORDER BY o.story_id
FOR UPDATE OF o
