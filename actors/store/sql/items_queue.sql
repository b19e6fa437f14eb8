-- Mark items as queued for fetch-content, and forget how often their jobs were lost before.
WITH queued AS (
    INSERT INTO public.item_outcomes AS o (raw_item_id, outcome)
    SELECT given.id, 'queued' FROM unnest(%(ids)s::uuid[]) AS given (id) ORDER BY given.id
    ON CONFLICT (raw_item_id) DO UPDATE SET
        outcome = 'queued',
        detail = NULL,
        attempts = 0,
        queued_at = zeke_jobs.now(),
        queued_count = 1,
        decided_at = NULL,
        updated_at = zeke_jobs.now()
    RETURNING o.raw_item_id
)
UPDATE public.raw_items AS r
SET status = %(status)s, updated_at = zeke_jobs.now()
FROM queued
WHERE r.id = queued.raw_item_id AND r.status IS DISTINCT FROM %(status)s
