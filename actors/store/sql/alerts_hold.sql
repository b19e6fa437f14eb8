-- Wait for transactions that have just found stories for a receiver, so that the next statement sees these stories.
SELECT a.id FROM public.alerts AS a WHERE %(receiver)s = ANY (a.receivers) ORDER BY a.id FOR UPDATE
