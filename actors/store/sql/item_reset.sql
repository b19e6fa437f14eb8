-- Update an item with new details when a person asks for the item again.
UPDATE public.raw_items
SET
    url = COALESCE(%(url)s, url),
    title = COALESCE(%(title)s, title),
    metadata = metadata || %(metadata)s,
    updated_at = zeke_jobs.now()
WHERE id = %(raw_item_id)s
