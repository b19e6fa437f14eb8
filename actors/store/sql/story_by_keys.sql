-- The story with one of these keys.
SELECT k.story_id
FROM public.story_keys AS k
WHERE k.key = ANY (%(keys)s)
ORDER BY k.created_at, k.story_id
LIMIT 1
