-- Record an item's outcome, or its wait for another attempt.
INSERT INTO public.item_outcomes AS o (raw_item_id, outcome, detail, story_id, attempts, decided_at)
VALUES (
    %(raw_item_id)s, %(outcome)s, %(detail)s, %(story_id)s, %(attempts)s,
    CASE WHEN %(is_final)s THEN zeke_jobs.now() END
)
ON CONFLICT (raw_item_id) DO UPDATE SET
    outcome = EXCLUDED.outcome,
    detail = EXCLUDED.detail,
    story_id = COALESCE(EXCLUDED.story_id, o.story_id),
    attempts = EXCLUDED.attempts,
    queued_at = CASE WHEN EXCLUDED.decided_at IS NULL THEN zeke_jobs.now() + %(wait)s::interval ELSE o.queued_at END,
    decided_at = EXCLUDED.decided_at,
    updated_at = zeke_jobs.now()
