-- Return an item's outcome, locked until the end of the transaction. An item without an outcome gets the outcome queued.
INSERT INTO public.item_outcomes AS o (raw_item_id, outcome)
VALUES (%(raw_item_id)s, 'queued')
ON CONFLICT (raw_item_id) DO UPDATE SET updated_at = o.updated_at
RETURNING outcome, attempts, story_id
