-- The outcome of each item of the feeds.
SELECT
    i.title,
    i.url,
    s.name AS source,
    o.outcome,
    o.detail
FROM public.raw_items AS i
JOIN public.sources AS s ON s.id = i.source_id
LEFT JOIN public.item_outcomes AS o ON o.raw_item_id = i.id
ORDER BY o.outcome, s.name, i.title
