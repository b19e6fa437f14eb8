-- The source that is read at one of the given addresses; of several sources, the oldest.
SELECT s.id, s.type, s.name, s.url, s.is_active
FROM public.sources AS s
WHERE s.url = ANY (%(urls)s) AND s.type <> 'manual'
ORDER BY s.created_at, s.id
LIMIT 1
