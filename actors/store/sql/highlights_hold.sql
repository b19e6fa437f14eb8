-- Lock the highlights of a story, if it exists, against other writers of highlights until the transaction ends.
SELECT count(pg_advisory_xact_lock(hashtextextended('highlights/' || s.id, 0))) AS held
FROM public.stories AS s
WHERE s.id = %(story_id)s::uuid
