-- Add new items of a feed and update edited items; returns both kinds. An item is edited if the feed's own update time is later, if its title
-- changed, or if it got a transcript after it was read or after its page was unavailable. An update time in the future is ignored until that time,
-- because some feeds give a later time at each reading.
WITH given AS (
    SELECT external_id, kind, title, url, published_at, metadata, rank
    FROM jsonb_to_recordset(%(items)s) AS g (
        external_id text, kind text, title text, url text, published_at timestamptz, metadata jsonb, rank integer
    )
),
added AS (
    INSERT INTO public.raw_items (source_id, external_id, kind, title, url, published_at, metadata)
    SELECT %(source_id)s, external_id, kind, title, url, published_at, metadata
    FROM given
    ORDER BY external_id
    ON CONFLICT (source_id, external_id) DO NOTHING
    RETURNING id, external_id
),
edited AS (
    UPDATE public.raw_items AS r
    SET title = g.title, metadata = r.metadata || g.metadata, updated_at = zeke_jobs.now()
    FROM given AS g
    JOIN public.raw_items AS old ON old.source_id = %(source_id)s AND old.external_id = g.external_id
    JOIN public.item_outcomes AS o ON o.raw_item_id = old.id
    CROSS JOIN (
        SELECT to_char(zeke_jobs.now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"') AS now
    ) AS moment
    WHERE r.id = old.id
        AND o.outcome = ANY (%(again)s)
        AND (
            (
                (g.metadata ->> 'updated') <= moment.now
                AND ((g.metadata ->> 'updated') > (old.metadata ->> 'updated') OR (old.metadata ->> 'updated') > moment.now)
            )
            OR (g.title IS NOT NULL AND g.title IS DISTINCT FROM old.title)
            OR (g.metadata ? 'transcript' AND NOT old.metadata ? 'transcript')
        )
    RETURNING r.id, r.external_id
)
SELECT id, external_id, true AS is_new FROM added
UNION ALL
SELECT id, external_id, false AS is_new FROM edited
