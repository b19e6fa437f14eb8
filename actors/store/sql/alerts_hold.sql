-- Wait for analyses that have just found something for a receiver, so that the next statement sees their findings.
SELECT a.id FROM public.alerts AS a WHERE %(receiver)s = ANY (a.receivers) ORDER BY a.id FOR UPDATE
