-- Mark sources as queued for reading and return them: the due sources, or all active sources if a person asks. A queued source does not change,
-- unless its job was lost: the source was queued long ago and has no unfinished job. The statement groups and does not join, as items_sweep does, and
-- reads the jobs only if a source was queued that long ago.
WITH wanted AS MATERIALIZED (
    SELECT s.id::text AS id, s.url, p.next_check_at, p.queued_at
    FROM public.sources AS s
    LEFT JOIN public.source_polling AS p ON p.source_id = s.id
    WHERE s.is_active
        AND s.type = ANY (%(types)s)
        AND (%(all)s OR p.next_check_at IS NULL OR p.next_check_at <= zeke_jobs.now())
        AND (p.queued_at IS NULL OR p.queued_at < zeke_jobs.now() - %(lost_after)s::interval)
),
held AS (
    SELECT source.id
    FROM public.named_by_jobs('ingest-source', 'source_id') AS source (id)
    WHERE EXISTS (SELECT FROM wanted WHERE wanted.queued_at IS NOT NULL)
),
due AS MATERIALIZED (
    SELECT every.id::uuid AS id, max(every.url) AS url
    FROM (
        SELECT id, url, next_check_at, queued_at IS NOT NULL AS is_queued, false AS is_held FROM wanted
        UNION ALL
        SELECT id, NULL, NULL, NULL, true FROM held
    ) AS every
    GROUP BY every.id
    HAVING bool_or(NOT every.is_held) AND NOT (bool_or(every.is_queued) AND bool_or(every.is_held))
    ORDER BY max(every.next_check_at) NULLS FIRST, every.id
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
