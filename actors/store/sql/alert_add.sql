-- Add an alert; no row if an alert has this name.
INSERT INTO public.alerts (name, query, words, sources, min_chili, receivers)
VALUES (%(name)s, %(query)s, %(words)s, %(sources)s, %(min_chili)s, %(receivers)s)
ON CONFLICT DO NOTHING
RETURNING id
