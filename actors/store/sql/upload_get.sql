-- Items of an upload.
SELECT items
FROM public.uploads
WHERE id = %(upload_id)s
