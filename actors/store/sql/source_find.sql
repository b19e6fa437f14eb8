-- A source by kind and address; the oldest of several.
SELECT id
FROM public.sources
WHERE type = %(type)s AND url = %(url)s
ORDER BY created_at, id
LIMIT 1
