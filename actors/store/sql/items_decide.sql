-- Record the outcome of items, or that the items wait for another attempt, and set their status to match. Outcomes are locked before items.
WITH decided AS (
    INSERT INTO public.item_outcomes AS o (raw_item_id, outcome, detail, story_id, attempts, decided_at)
    SELECT given.id, %(outcome)s, %(detail)s, %(story_id)s::uuid, %(attempts)s, CASE WHEN %(is_final)s THEN zeke_jobs.now() END
    FROM unnest(%(ids)s::uuid[]) AS given (id)
    ORDER BY given.id
    ON CONFLICT (raw_item_id) DO UPDATE SET
        outcome = EXCLUDED.outcome,
        detail = EXCLUDED.detail,
        story_id = COALESCE(EXCLUDED.story_id, o.story_id),
        attempts = EXCLUDED.attempts,
        queued_at = CASE WHEN EXCLUDED.decided_at IS NULL THEN zeke_jobs.now() + %(wait)s::interval ELSE o.queued_at END,
        decided_at = EXCLUDED.decided_at,
        updated_at = zeke_jobs.now()
    RETURNING o.raw_item_id
)
UPDATE public.raw_items AS r
SET status = %(status)s, updated_at = zeke_jobs.now()
FROM decided
WHERE r.id = decided.raw_item_id AND r.status IS DISTINCT FROM %(status)s
