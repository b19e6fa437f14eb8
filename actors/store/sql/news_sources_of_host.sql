-- The sources whose address is on a host, with their health.
SELECT src.id, src.name, src.url, src.type, src.is_active, h.status, h.message, p.checked_at, p.next_check_at
FROM public.sources AS src
LEFT JOIN public.source_health AS h ON h.source_id = src.id
LEFT JOIN public.source_polling AS p ON p.source_id = src.id
WHERE strpos(lower(src.url), %(host)s) > 0 AND src.type <> 'manual'
ORDER BY src.created_at, src.id
