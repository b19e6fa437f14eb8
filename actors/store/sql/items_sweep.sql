-- Find lost items: items that were queued long ago and have no unfinished job. A lost item is queued again or, after too many times, given up. The
-- statement groups and does not join, so that its time grows only in proportion to the number of items, even if the planner's estimates are wrong.
-- The statement reads the jobs only if an item has waited that long.
WITH waiting AS MATERIALIZED (
    SELECT o.raw_item_id::text AS id, o.queued_at
    FROM public.item_outcomes AS o
    WHERE o.outcome IN ('queued', 'retrying') AND o.queued_at < zeke_jobs.now() - %(lost_after)s::interval
),
held AS (
    SELECT item.id FROM public.named_by_jobs('fetch-content', 'raw_item_ids') AS item (id) WHERE EXISTS (SELECT FROM waiting)
),
lost AS MATERIALIZED (
    SELECT every.id
    FROM (
        SELECT id, queued_at, false AS is_held FROM waiting
        UNION ALL
        SELECT id, NULL, true FROM held
    ) AS every
    GROUP BY every.id
    HAVING NOT bool_or(every.is_held)
    ORDER BY max(every.queued_at), every.id
    LIMIT %(most)s
),
stranded AS (
    SELECT o.raw_item_id
    FROM public.item_outcomes AS o
    WHERE o.raw_item_id IN (SELECT lost.id::uuid FROM lost)
        AND o.outcome IN ('queued', 'retrying')
        AND o.queued_at < zeke_jobs.now() - %(lost_after)s::interval
    FOR UPDATE SKIP LOCKED
),
swept AS (
    UPDATE public.item_outcomes AS o
    SET
        outcome = CASE WHEN o.queued_count >= %(most_times)s THEN 'abandoned' ELSE 'queued' END,
        detail = CASE
            WHEN o.queued_count >= %(most_times)s
                THEN 'its fetch-content job was lost or failed ' || o.queued_count || ' times'
            ELSE o.detail
        END,
        queued_at = zeke_jobs.now(),
        queued_count = o.queued_count + 1,
        decided_at = CASE WHEN o.queued_count >= %(most_times)s THEN zeke_jobs.now() END,
        updated_at = zeke_jobs.now()
    FROM stranded
    WHERE o.raw_item_id = stranded.raw_item_id
    RETURNING o.raw_item_id, o.outcome, o.queued_count
),
given_up AS (
    UPDATE public.raw_items AS r
    SET status = 'failed', updated_at = zeke_jobs.now()
    FROM swept
    WHERE r.id = swept.raw_item_id AND swept.outcome = 'abandoned'
)
SELECT r.id, r.url, swept.queued_count - 1 AS times, swept.outcome = 'abandoned' AS is_given_up
FROM swept
JOIN public.raw_items AS r ON r.id = swept.raw_item_id
