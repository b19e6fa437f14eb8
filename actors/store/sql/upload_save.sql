-- Store the items of an upload, for a job that refers to them.
INSERT INTO public.uploads (source_id, uploaded_by, items)
VALUES (%(source_id)s, %(uploaded_by)s, %(items)s)
RETURNING id
