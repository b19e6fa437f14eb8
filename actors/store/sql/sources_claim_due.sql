-- Mark the sources to be read now as queued and return them: those that are due, or all active ones when asked by a
-- person. A source that is queued already is left alone, unless its job was lost.
WITH due AS (
    SELECT s.id, s.url
    FROM public.sources AS s
    LEFT JOIN public.source_polling AS p ON p.source_id = s.id
    WHERE s.is_active
        AND s.type = ANY (%(types)s)
        AND (%(all)s OR p.next_check_at IS NULL OR p.next_check_at <= zeke_jobs.now())
        AND (p.queued_at IS NULL OR p.queued_at < zeke_jobs.now() - %(lost_after)s::interval)
    ORDER BY p.next_check_at NULLS FIRST, s.id
    LIMIT %(most)s
),
claimed AS (
    INSERT INTO public.source_polling AS p (source_id, next_check_at, queued_at)
    SELECT id, zeke_jobs.now(), zeke_jobs.now()
    FROM due
    ORDER BY id
    ON CONFLICT (source_id) DO UPDATE SET queued_at = zeke_jobs.now(), updated_at = zeke_jobs.now()
    WHERE p.queued_at IS NULL OR p.queued_at < zeke_jobs.now() - %(lost_after)s::interval
    RETURNING source_id
)
SELECT due.id, due.url
FROM due
JOIN claimed ON claimed.source_id = due.id
ORDER BY due.id
