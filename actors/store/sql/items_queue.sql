-- Mark items as queued for fetch-content; earlier lost jobs no longer count.
INSERT INTO public.item_outcomes (raw_item_id, outcome)
SELECT unnest(%(ids)s::uuid[]), 'queued'
ON CONFLICT (raw_item_id) DO UPDATE SET
    outcome = 'queued',
    detail = NULL,
    attempts = 0,
    queued_at = zeke_jobs.now(),
    queued_count = 1,
    decided_at = NULL,
    updated_at = zeke_jobs.now()
