-- Add a filter.
INSERT INTO public.filters (rule) VALUES (%(rule)s) RETURNING number
