-- Create a story's overlay if the overlay is missing, so that the overlay can be locked.
INSERT INTO public.story_overlays (story_id)
SELECT s.id FROM public.stories AS s WHERE s.id = %(story_id)s::uuid
ON CONFLICT (story_id) DO NOTHING
