-- The other stories of a story's cluster, earliest first.
SELECT s.id, s.title, src.name AS source, s.published_at
FROM public.stories AS s
LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
WHERE s.cluster_id = %(cluster_id)s::uuid AND s.id <> %(story_id)s::uuid
ORDER BY coalesce(s.published_at, s.created_at), s.id
