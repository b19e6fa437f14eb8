-- Update an item that is asked for again with its new details.
UPDATE public.raw_items
SET
    url = COALESCE(%(url)s, url),
    title = COALESCE(%(title)s, title),
    metadata = metadata || %(metadata)s,
    updated_at = zeke_jobs.now()
WHERE id = %(raw_item_id)s
