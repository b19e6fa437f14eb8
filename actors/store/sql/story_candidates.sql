-- Stories that share MinHash bands with a text, with their own texts. Stories that share the most bands come first.
SELECT n.story_id, coalesce(n.text_body, '') AS text
FROM public.story_near_duplicates(%(story_id)s::uuid, %(bands)s::bigint[], %(most)s) AS n
