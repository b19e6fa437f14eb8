-- The newest items that were found since a time, in the form that fetch-content reads, with their stored texts.
SELECT
    r.id, r.source_id, r.external_id, r.kind, r.title, r.url, r.published_at, r.metadata, r.created_at AS found_at,
    o.outcome, 0 AS attempts, s.type AS source_type,
    coalesce(s.name, '') AS source, coalesce(s.url, '') AS source_url, s.metadata -> 'folder' AS folder,
    c.text_body, c.language_code, c.duration_seconds
FROM public.raw_items AS r
JOIN public.sources AS s ON s.id = r.source_id
LEFT JOIN public.item_outcomes AS o ON o.raw_item_id = r.id
LEFT JOIN public.contents AS c ON c.raw_item_id = r.id
WHERE r.created_at > zeke_jobs.now() - %(back)s::interval
ORDER BY r.created_at DESC, r.id
LIMIT %(most)s
