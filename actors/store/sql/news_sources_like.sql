-- Sources that have a given text in their name or address.
SELECT s.id
FROM public.sources AS s
WHERE s.name ILIKE '%%' || %(part)s || '%%' OR s.url ILIKE '%%' || %(part)s || '%%'
