-- Stories with one of these keys, oldest first, with the columns for the comparison with a text.
SELECT g.story_id, g.signature, coalesce(c.text_body, '') AS text
FROM (
    SELECT k.story_id, min(k.created_at) AS created_at
    FROM public.story_keys AS k
    WHERE k.key = ANY (%(keys)s)
    GROUP BY k.story_id
) AS found
JOIN public.story_signatures AS g ON g.story_id = found.story_id
JOIN public.stories AS s ON s.id = found.story_id
JOIN public.contents AS c ON c.id = s.content_id
ORDER BY found.created_at, found.story_id
