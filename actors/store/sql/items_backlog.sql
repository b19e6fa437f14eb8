-- The number of a source's items that were left out when the source was new.
SELECT count(*) AS items
FROM public.raw_items AS r
JOIN public.item_outcomes AS o ON o.raw_item_id = r.id
WHERE r.source_id = %(source_id)s::uuid AND o.outcome = 'backlog'
