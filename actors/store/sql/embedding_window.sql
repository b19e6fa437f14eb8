-- Embeddings of the same days, newest first, for databases without pgvector.
SELECT e.story_id, s.cluster_id, e.embedding
FROM public.stories AS s
JOIN public.story_embeddings AS e ON e.story_id = s.id
WHERE e.story_id <> %(story_id)s::uuid
  AND e.model_version = %(model_version)s
  AND coalesce(s.published_at, s.created_at) BETWEEN %(since)s::timestamptz AND %(until)s::timestamptz
ORDER BY coalesce(s.published_at, s.created_at) DESC, e.story_id
LIMIT %(limit)s
