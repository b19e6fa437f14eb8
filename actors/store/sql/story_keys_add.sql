-- Add keys to a story; a key that another story has does not move.
INSERT INTO public.story_keys (key, story_id)
SELECT key, %(story_id)s
FROM unnest(%(keys)s::text[]) AS key
ORDER BY key
ON CONFLICT (key) DO NOTHING
