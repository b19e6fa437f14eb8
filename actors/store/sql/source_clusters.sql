-- The events of a source's stories and items.
SELECT DISTINCT s.cluster_id AS id
FROM public.raw_items AS r
JOIN public.item_outcomes AS o ON o.raw_item_id = r.id
JOIN public.stories AS s ON s.id = o.story_id
WHERE r.source_id = %(source_id)s::uuid AND s.cluster_id IS NOT NULL
UNION
SELECT s.cluster_id
FROM public.stories AS s
WHERE s.primary_source_id = %(source_id)s::uuid AND s.cluster_id IS NOT NULL
