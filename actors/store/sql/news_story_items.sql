-- Every item of a story.
SELECT r.id, r.external_id, r.url, src.name AS source, i.outcome, i.detail
FROM public.item_outcomes AS i
JOIN public.raw_items AS r ON r.id = i.raw_item_id
JOIN public.sources AS src ON src.id = r.source_id
WHERE i.story_id = %(story_id)s::uuid
ORDER BY r.created_at, r.id
