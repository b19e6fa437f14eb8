-- Stories that share a band with a text, with what it takes to compare them.
SELECT g.story_id, g.signature, s.cluster_id, c.text_body
FROM public.story_signatures AS g
JOIN public.stories AS s ON s.id = g.story_id
JOIN public.contents AS c ON c.id = s.content_id
WHERE g.bands && %(bands)s AND g.story_id <> %(story_id)s
ORDER BY g.created_at DESC
LIMIT %(most)s
