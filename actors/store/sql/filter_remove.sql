-- Remove a filter; the items that it dropped stay dropped.
DELETE FROM public.filters WHERE number = %(number)s
