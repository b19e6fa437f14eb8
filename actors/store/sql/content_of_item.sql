-- The text and story that an item already has.
SELECT c.id, c.content_hash, s.id AS story_id
FROM public.contents AS c
LEFT JOIN public.stories AS s ON s.content_id = c.id
WHERE c.raw_item_id = %(raw_item_id)s
