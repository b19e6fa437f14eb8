-- The statements join the interests themselves; nothing calls these functions any more.
DROP FUNCTION public.story_chili(jsonb, uuid, uuid);
DROP FUNCTION public.story_shift(uuid, uuid);
