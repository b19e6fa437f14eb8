-- The text and story that an item already has.
SELECT c.content_hash AS text_hash, d.text_origin, s.id AS story_id
FROM public.contents AS c
LEFT JOIN public.content_details AS d ON d.content_id = c.id
LEFT JOIN public.stories AS s ON s.content_id = c.id
WHERE c.raw_item_id = %(raw_item_id)s
