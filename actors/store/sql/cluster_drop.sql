-- Remove clusters that were merged into another cluster.
DELETE FROM public.story_clusters WHERE id = ANY (%(merged)s::uuid[])
