-- The statements join the interests: a function for each row of a week's digest took longer than all else in it.
DROP FUNCTION public.story_chili(jsonb, uuid, uuid);
DROP FUNCTION public.story_shift(uuid, uuid);
