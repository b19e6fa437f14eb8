-- Remove an alert, with all held in order, as a delivery holds them; what it sent stays told.
WITH held AS MATERIALIZED (SELECT a.id, a.name FROM public.alerts AS a ORDER BY a.id FOR UPDATE)
DELETE FROM public.alerts AS a USING held WHERE a.id = held.id AND held.name = %(name)s
