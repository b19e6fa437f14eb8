-- Remove an alert; what it sent stays told.
DELETE FROM public.alerts WHERE name = %(name)s
