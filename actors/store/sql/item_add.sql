-- Add one item that a person named, or return the existing item.
WITH added AS (
    INSERT INTO public.raw_items (source_id, external_id, kind, title, url, published_at, metadata)
    VALUES (%(source_id)s, %(external_id)s, %(kind)s, %(title)s, %(url)s, %(published_at)s, %(metadata)s)
    ON CONFLICT (source_id, external_id) DO NOTHING
    RETURNING id
)
SELECT id, true AS is_new, NULL AS outcome, NULL::uuid AS story_id FROM added
UNION ALL
SELECT r.id, false, o.outcome, o.story_id
FROM public.raw_items AS r
LEFT JOIN public.item_outcomes AS o ON o.raw_item_id = r.id
WHERE r.source_id = %(source_id)s
    AND r.external_id = %(external_id)s
    AND NOT EXISTS (SELECT FROM added)
