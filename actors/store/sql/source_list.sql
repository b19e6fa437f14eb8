-- All sources with their health and next check, for people.
SELECT
    s.id, s.type, s.name, s.url, s.is_active, s.authority_score, s.metadata -> 'folder' AS folder,
    h.status, h.message, h.last_success_at, h.last_error_at,
    p.next_check_at, p.interval_seconds
FROM public.sources AS s
LEFT JOIN public.source_health AS h ON h.source_id = s.id
LEFT JOIN public.source_polling AS p ON p.source_id = s.id
WHERE %(active_only)s IS NOT TRUE OR s.is_active
ORDER BY s.created_at, s.id
