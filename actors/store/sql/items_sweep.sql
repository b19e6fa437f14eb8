-- Items whose job must have been lost: in flight for too long. They are queued again, or given up after too often.
WITH stranded AS (
    SELECT o.raw_item_id
    FROM public.item_outcomes AS o
    WHERE o.outcome IN ('queued', 'retrying') AND o.queued_at < zeke_jobs.now() - %(lost_after)s::interval
    ORDER BY o.queued_at
    LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
)
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
FROM stranded, public.raw_items AS r
WHERE o.raw_item_id = stranded.raw_item_id AND r.id = o.raw_item_id
RETURNING o.raw_item_id AS id, r.url, o.outcome
