-- Hold a story against other writers. Always before its overlay, as who changes clusters does.
SELECT s.id FROM public.stories AS s WHERE s.id = %(story_id)s::uuid FOR NO KEY UPDATE
