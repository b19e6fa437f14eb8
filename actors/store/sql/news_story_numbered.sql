-- The story that has a number.
SELECT i.story_id AS id FROM public.story_index AS i WHERE i.number = %(number)s
