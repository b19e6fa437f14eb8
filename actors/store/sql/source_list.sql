-- All sources for people, with their health, their next check, and the outcomes of their articles of the last 30 days.
WITH told AS (
    SELECT r.source_id, o.outcome, count(*) AS items,
        (array_agg(o.detail ORDER BY o.updated_at DESC) FILTER (WHERE r.status IN ('pending', 'failed', 'skipped')))[1] AS detail
    FROM public.item_outcomes AS o
    JOIN public.raw_items AS r ON r.id = o.raw_item_id
    WHERE r.created_at > zeke_jobs.now() - interval '30 days'
    GROUP BY r.source_id, o.outcome
),
articles AS (
    SELECT
        t.source_id,
        jsonb_object_agg(t.outcome, t.items) AS by_outcome,
        jsonb_object_agg(t.outcome, t.detail) FILTER (WHERE t.detail IS NOT NULL) AS details
    FROM told AS t
    GROUP BY t.source_id
)
SELECT
    s.id, s.type, s.name, s.url, s.is_active, s.authority_score, s.metadata -> 'folder' AS folder,
    h.status, h.message, h.last_success_at, h.last_error_at,
    p.next_check_at, p.interval_seconds,
    coalesce(a.by_outcome, '{}') AS articles,
    coalesce(a.details, '{}') AS article_details
FROM public.sources AS s
LEFT JOIN public.source_health AS h ON h.source_id = s.id
LEFT JOIN public.source_polling AS p ON p.source_id = s.id
LEFT JOIN articles AS a ON a.source_id = s.id
WHERE %(active_only)s IS NOT TRUE OR s.is_active
ORDER BY s.created_at, s.id
