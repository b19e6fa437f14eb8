-- Stories whose id is between these two; two are enough to know that the text is ambiguous.
SELECT s.id FROM public.stories AS s WHERE s.id BETWEEN %(first)s::uuid AND %(last)s::uuid ORDER BY s.id LIMIT 2
