-- Stories that share a band with a text, with their texts; most common bands first.
SELECT n.story_id, coalesce(n.text_body, '') AS text
FROM public.story_near_duplicates(%(story_id)s::uuid, %(bands)s::bigint[], %(most)s) AS n
