-- Remove an alert, and what it has not sent yet.
DELETE FROM public.alerts WHERE name = %(name)s
