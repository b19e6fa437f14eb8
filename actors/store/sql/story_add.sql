-- A story of a text.
INSERT INTO public.stories (content_id, primary_source_id, title, kind, primary_url, published_at)
VALUES (%(content_id)s, %(source_id)s, %(title)s, %(kind)s, %(primary_url)s, %(published_at)s)
RETURNING id
