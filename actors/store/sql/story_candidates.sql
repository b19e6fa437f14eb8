-- Stories that share a band with a text, most bands first, with what it takes to compare them. One index look-up a
-- band: for an overlap of arrays the planner guesses one row in a hundred and reads the table.
WITH near AS MATERIALIZED (
    SELECT found.story_id, count(*) AS shared
    FROM unnest(%(bands)s::bigint[]) AS band (hash)
    CROSS JOIN LATERAL (
        SELECT g.story_id
        FROM public.story_signatures AS g
        WHERE g.bands @> ARRAY[band.hash]
    ) AS found
    WHERE found.story_id <> %(story_id)s
    GROUP BY found.story_id
    ORDER BY shared DESC, found.story_id
    LIMIT %(most)s
)
SELECT g.story_id, g.signature, c.text_body
FROM near
JOIN public.story_signatures AS g ON g.story_id = near.story_id
JOIN public.stories AS s ON s.id = near.story_id
JOIN public.contents AS c ON c.id = s.content_id
ORDER BY near.shared DESC, near.story_id
