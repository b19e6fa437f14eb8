-- The nearest stories of the same days by cosine, with pgvector; only vectors of one model are compared, and each once.
SELECT n.story_id, n.cluster_id, 1 - n.distance AS cosine
FROM (
  SELECT e.story_id, s.cluster_id, e.embedding <=> %(embedding)s AS distance
  FROM public.stories AS s
  JOIN public.story_embeddings AS e ON e.story_id = s.id
  WHERE e.story_id <> %(story_id)s::uuid
    AND e.model_version = %(model_version)s
    AND coalesce(s.published_at, s.created_at) BETWEEN %(since)s::timestamptz AND %(until)s::timestamptz
  OFFSET 0 -- or the distance would be written out, and worked out, wherever it is used
) AS n
WHERE 1 - n.distance >= %(least)s
ORDER BY n.distance, n.story_id
LIMIT %(limit)s
