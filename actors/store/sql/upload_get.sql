-- Items of an upload.
SELECT source_id, uploaded_by, items
FROM public.uploads
WHERE id = %(upload_id)s
