-- The source with a kind and address; of several sources, the oldest.
SELECT id
FROM public.sources
WHERE type = %(type)s AND url = %(url)s
ORDER BY created_at, id
LIMIT 1
