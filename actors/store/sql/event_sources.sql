-- The number of sources that tell of a story's event: sources of its cluster's stories, and of items that were copies of them.
SELECT count(DISTINCT told.source_id) AS sources
FROM (
  SELECT m.id, m.primary_source_id
  FROM public.stories AS m
  WHERE m.id = %(story_id)s::uuid
  UNION
  SELECT m.id, m.primary_source_id
  FROM public.stories AS s
  JOIN public.stories AS m ON m.cluster_id = s.cluster_id
  WHERE s.id = %(story_id)s::uuid
) AS member
CROSS JOIN LATERAL (
  SELECT member.primary_source_id AS source_id
  UNION ALL
  SELECT r.source_id
  FROM public.item_outcomes AS o
  JOIN public.raw_items AS r ON r.id = o.raw_item_id
  WHERE o.story_id = member.id
) AS told
