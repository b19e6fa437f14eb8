-- Lock a source, so that one poll writes at a time.
SELECT id FROM public.sources WHERE id = %(source_id)s FOR NO KEY UPDATE
