-- Find a source by the beginning of its id, its address or its name. Two rows are enough to see that the text is ambiguous.
SELECT src.id
FROM public.sources AS src
WHERE src.id::text LIKE %(prefix)s || '%%' OR src.url = %(name)s OR lower(src.name) = lower(%(name)s)
ORDER BY src.id
LIMIT 2
