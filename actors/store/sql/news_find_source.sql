-- Find a source by its address, its name, or the beginning of its id. Two rows are enough to see that the given text is ambiguous.
SELECT src.id
FROM public.sources AS src
WHERE src.id::text LIKE %(prefix)s || '%%' OR src.url = %(name)s OR lower(src.name) = lower(%(name)s)
ORDER BY src.id
LIMIT 2
