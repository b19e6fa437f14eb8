-- Wait for the analyses that have just found something for a receiver, so that it is seen.
SELECT a.id FROM public.alerts AS a WHERE %(receiver)s = ANY (a.receivers) ORDER BY a.id FOR UPDATE
