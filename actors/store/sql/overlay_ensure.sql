-- Make sure that a story, if it exists, has an overlay to lock.
INSERT INTO public.story_overlays (story_id)
SELECT s.id FROM public.stories AS s WHERE s.id = %(story_id)s::uuid
ON CONFLICT (story_id) DO NOTHING
