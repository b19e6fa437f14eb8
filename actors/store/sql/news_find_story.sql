-- Stories whose id lies between these two; two are enough to know that it is not unique.
SELECT s.id FROM public.stories AS s WHERE s.id BETWEEN %(first)s::uuid AND %(last)s::uuid ORDER BY s.id LIMIT 2
