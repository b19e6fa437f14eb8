-- Store the bands by which near duplicates are found.
INSERT INTO public.story_bands (story_id, bands)
VALUES (%(story_id)s, %(bands)s)
ON CONFLICT (story_id) DO UPDATE SET bands = EXCLUDED.bands
