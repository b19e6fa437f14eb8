-- The nearest stories of the same days by cosine, with pgvector; only vectors of one model are compared.
SELECT e.story_id, s.cluster_id, 1 - (e.embedding <=> %(embedding)s) AS cosine
FROM public.stories AS s
JOIN public.story_embeddings AS e ON e.story_id = s.id
WHERE e.story_id <> %(story_id)s::uuid
  AND e.model_version = %(model_version)s
  AND coalesce(s.published_at, s.created_at) BETWEEN %(since)s::timestamptz AND %(until)s::timestamptz
  AND 1 - (e.embedding <=> %(embedding)s) >= %(least)s
ORDER BY e.embedding <=> %(embedding)s, e.story_id
LIMIT %(limit)s
