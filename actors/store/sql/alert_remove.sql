-- Remove an alert. The statement locks all alerts in the same order as a delivery does. The record of its sent stories is kept.
WITH held AS MATERIALIZED (SELECT a.id, a.name FROM public.alerts AS a ORDER BY a.id FOR UPDATE)
DELETE FROM public.alerts AS a USING held WHERE a.id = held.id AND held.name = %(name)s
