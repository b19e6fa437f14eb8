-- The outcome of an item, held until the end of the transaction; made where a foreign producer left none.
INSERT INTO public.item_outcomes AS o (raw_item_id, outcome)
VALUES (%(raw_item_id)s, 'queued')
ON CONFLICT (raw_item_id) DO UPDATE SET updated_at = o.updated_at
RETURNING outcome, attempts, story_id
