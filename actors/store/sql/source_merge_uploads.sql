-- Move the uploads of a source to another one.
UPDATE public.uploads SET source_id = %(into)s::uuid WHERE source_id = %(source_id)s::uuid
