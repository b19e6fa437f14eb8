-- Lock a story against other writers. A story is always locked before its overlay, in the same order as changes of clusters.
SELECT s.id FROM public.stories AS s WHERE s.id = %(story_id)s::uuid FOR NO KEY UPDATE
