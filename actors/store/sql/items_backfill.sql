-- The newest items of a source's backlog, then items that a filter dropped, ordered by the time of their last check, the earliest first.
SELECT r.id, r.url
FROM public.raw_items AS r
JOIN public.item_outcomes AS o ON o.raw_item_id = r.id
WHERE r.source_id = %(source_id)s::uuid AND o.outcome IN ('backlog', 'filtered')
ORDER BY o.outcome, CASE WHEN o.outcome = 'filtered' THEN o.decided_at END, r.published_at DESC NULLS LAST, r.created_at DESC, r.id
LIMIT %(most)s
FOR UPDATE OF o SKIP LOCKED
