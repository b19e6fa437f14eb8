-- Stories whose id is between two ids. Two rows are enough to know that the beginning of an id is ambiguous.
SELECT s.id FROM public.stories AS s WHERE s.id BETWEEN %(first)s::uuid AND %(last)s::uuid ORDER BY s.id LIMIT 2
