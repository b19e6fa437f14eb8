-- Lock a source, so that only one poll of the source writes at a time.
SELECT id FROM public.sources WHERE id = %(source_id)s FOR NO KEY UPDATE
