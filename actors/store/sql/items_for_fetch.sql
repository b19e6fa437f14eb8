-- The items of a fetch-content job with their details, in the order of the job's list.
SELECT
    r.id, r.source_id, r.external_id, r.kind, r.title, r.url, r.published_at, r.metadata, r.created_at AS found_at,
    o.outcome, coalesce(o.attempts, 0) AS attempts, s.type AS source_type,
    coalesce(s.name, '') AS source, coalesce(s.url, '') AS source_url, s.metadata -> 'folder' AS folder
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS wanted (id, place)
JOIN public.raw_items AS r ON r.id = wanted.id
JOIN public.sources AS s ON s.id = r.source_id
LEFT JOIN public.item_outcomes AS o ON o.raw_item_id = r.id
ORDER BY wanted.place
