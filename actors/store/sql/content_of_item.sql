-- The stored text of an item, and the item's story.
SELECT c.content_hash AS text_hash, d.text_origin, s.id AS story_id
FROM public.contents AS c
LEFT JOIN public.content_details AS d ON d.content_id = c.id
LEFT JOIN public.stories AS s ON s.content_id = c.id
WHERE c.raw_item_id = %(raw_item_id)s
