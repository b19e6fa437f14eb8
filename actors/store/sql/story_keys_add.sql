-- Add keys to a story. If another story has a key, the key stays with that story.
INSERT INTO public.story_keys (key, story_id)
SELECT key, %(story_id)s
FROM unnest(%(keys)s::text[]) AS key
ORDER BY key
ON CONFLICT (key) DO NOTHING
