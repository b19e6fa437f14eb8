-- The number of items by outcome, for people and for tests.
SELECT o.outcome, r.status, count(*) AS items
FROM public.item_outcomes AS o
JOIN public.raw_items AS r ON r.id = o.raw_item_id
WHERE %(source_id)s::uuid IS NULL OR r.source_id = %(source_id)s
GROUP BY o.outcome, r.status
ORDER BY o.outcome
