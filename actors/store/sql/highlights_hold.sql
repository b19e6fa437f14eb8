-- Lock a story, if it exists, against other writers of its highlights until the transaction ends.
SELECT true AS held
FROM public.stories AS s
WHERE s.id = %(story_id)s::uuid
FOR NO KEY UPDATE
