-- Store the data that find near duplicates.
INSERT INTO public.story_signatures (story_id, signature, bands)
VALUES (%(story_id)s, %(signature)s, %(bands)s)
ON CONFLICT (story_id) DO UPDATE SET signature = EXCLUDED.signature, bands = EXCLUDED.bands
