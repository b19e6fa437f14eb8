-- Stories whose id begins like this; two are enough to know that it is not unique.
SELECT s.id FROM public.stories AS s WHERE s.id::text LIKE %(prefix)s || '%%' ORDER BY s.id LIMIT 2
