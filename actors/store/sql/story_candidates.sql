-- Stories that share a band with a text, most bands first, with the columns for the comparison.
SELECT n.story_id, n.signature, coalesce(n.text_body, '') AS text
FROM public.story_near_duplicates(%(story_id)s::uuid, %(bands)s::bigint[], %(most)s) AS n
