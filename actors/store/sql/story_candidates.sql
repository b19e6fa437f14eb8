-- Stories that share a band with a text, most bands first, with their texts.
SELECT n.story_id, coalesce(n.text_body, '') AS text
FROM public.story_near_duplicates(%(story_id)s::uuid, %(bands)s::bigint[], %(most)s) AS n
