-- Create a story from a text, with its keys, the data by which near duplicates are found, and an empty overlay.
WITH added AS (
    INSERT INTO public.stories (content_id, primary_source_id, title, kind, primary_url, published_at)
    VALUES (%(content_id)s, %(source_id)s, %(title)s, %(kind)s, %(url)s, %(published_at)s)
    RETURNING id
),
found_by AS (
    INSERT INTO public.story_keys (key, story_id)
    SELECT given.key, added.id
    FROM added, unnest(%(keys)s::text[]) AS given (key)
    ORDER BY given.key
    ON CONFLICT (key) DO NOTHING
),
signed AS (
    INSERT INTO public.story_bands (story_id, bands) SELECT added.id, %(bands)s::bigint[] FROM added
),
overlaid AS (
    INSERT INTO public.story_overlays (story_id) SELECT added.id FROM added
)
SELECT id FROM added
