-- The addresses at which sources are read.
SELECT s.url FROM public.sources AS s WHERE s.url IS NOT NULL AND s.type <> 'manual'
