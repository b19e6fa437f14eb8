-- Items of an upload, to be worked off by reference.
INSERT INTO public.uploads (source_id, uploaded_by, items)
VALUES (%(source_id)s, %(uploaded_by)s, %(items)s)
RETURNING id
