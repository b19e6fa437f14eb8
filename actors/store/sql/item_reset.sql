-- Update an item with its new details when somebody asks for it again.
UPDATE public.raw_items
SET
    url = COALESCE(%(url)s, url),
    title = COALESCE(%(title)s, title),
    metadata = metadata || %(metadata)s,
    updated_at = zeke_jobs.now()
WHERE id = %(raw_item_id)s
