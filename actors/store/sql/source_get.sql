-- One source with the state of its polling.
SELECT
    s.id, s.type, coalesce(s.name, '') AS name, coalesce(s.url, '') AS url, s.is_active, coalesce(s.metadata, '{}') AS metadata,
    p.etag, p.last_modified, p.interval_seconds,
    COALESCE(p.failures, 0) AS failures,
    COALESCE(p.gone_count, 0) AS gone_count,
    p.moved_to,
    COALESCE(p.moved_count, 0) AS moved_count,
    p.moved_since,
    COALESCE(p.fetched_once, false) AS fetched_once,
    p.next_check_at IS NULL OR p.next_check_at <= zeke_jobs.now() AS is_due,
    zeke_jobs.now() AS now
FROM public.sources AS s
LEFT JOIN public.source_polling AS p ON p.source_id = s.id
WHERE s.id = %(source_id)s
