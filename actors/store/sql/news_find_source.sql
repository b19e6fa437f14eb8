-- Sources with this beginning of their id, this address or name; two are enough to know that it is not unique.
SELECT src.id
FROM public.sources AS src
WHERE src.id::text LIKE %(prefix)s || '%%' OR src.url = %(name)s OR lower(src.name) = lower(%(name)s)
ORDER BY src.id
LIMIT 2
