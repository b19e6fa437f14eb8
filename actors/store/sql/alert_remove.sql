-- Remove an alert. Locks all alerts in the order in which a delivery locks them. The record of its sent stories is kept.
WITH held AS MATERIALIZED (SELECT a.id, a.name FROM public.alerts AS a ORDER BY a.id FOR UPDATE)
DELETE FROM public.alerts AS a USING held WHERE a.id = held.id AND held.name = %(name)s
