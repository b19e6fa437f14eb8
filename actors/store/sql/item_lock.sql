-- The outcome of an item, locked until the end of the transaction. It is created if the producer of the item left none.
INSERT INTO public.item_outcomes AS o (raw_item_id, outcome)
VALUES (%(raw_item_id)s, 'queued')
ON CONFLICT (raw_item_id) DO UPDATE SET updated_at = o.updated_at
RETURNING outcome, attempts, story_id
