-- Add a source once. A source's id is a hash of its kind and address.
INSERT INTO public.sources (id, type, name, url, authority_score, metadata)
VALUES (%(source_id)s, %(type)s, %(name)s, %(url)s, %(authority_score)s, %(metadata)s)
ON CONFLICT (id) DO NOTHING
