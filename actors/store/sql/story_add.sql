-- Make a story of a text, and note its title.
WITH added AS (
    INSERT INTO public.stories (content_id, primary_source_id, title, kind, primary_url, published_at)
    VALUES (%(content_id)s, %(source_id)s, %(title)s, %(kind)s, %(primary_url)s, %(published_at)s)
    RETURNING id, content_id, title
),
noted AS (
    UPDATE public.content_details AS d
    SET written_title = added.title
    FROM added
    WHERE d.content_id = added.content_id
)
SELECT id FROM added
