-- The sources with their health: did each feed answer?
SELECT
    s.name,
    s.url,
    h.status,
    h.message,
    p.checked_at
FROM public.sources AS s
LEFT JOIN public.source_health AS h ON h.source_id = s.id
LEFT JOIN public.source_polling AS p ON p.source_id = s.id
ORDER BY s.name, s.url
