-- The uploads of a source become those of another one.
UPDATE public.uploads SET source_id = %(into)s::uuid WHERE source_id = %(source_id)s::uuid
