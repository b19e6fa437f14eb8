-- Add an alert; returns no row if there is an alert with this name.
INSERT INTO public.alerts (name, query, words, sources, min_chili, receivers)
VALUES (%(name)s, %(query)s, %(words)s, %(sources)s, %(min_chili)s, %(receivers)s)
ON CONFLICT DO NOTHING
RETURNING id
