-- Remove clusters that have no stories.
DELETE FROM public.story_clusters AS c
WHERE c.id = ANY (%(ids)s::uuid[]) AND NOT EXISTS (SELECT FROM public.stories AS s WHERE s.cluster_id = c.id)
