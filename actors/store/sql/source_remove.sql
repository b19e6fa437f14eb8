-- Remove a source, and with it its items, texts and stories.
DELETE FROM public.sources WHERE id = %(source_id)s::uuid
