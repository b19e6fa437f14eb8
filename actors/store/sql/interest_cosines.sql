-- The cosine of each example story to other stories, by the vectors of one model. Examples are given by id or number. Stories are left out if the
-- vectors' signs differ too much.
WITH others AS MATERIALIZED (
  SELECT g.story_id, g.model_version, g.signs FROM public.story_signs AS g WHERE g.story_id = ANY (%(stories)s::uuid[])
)
SELECT b.story_id AS to_id, a.story_id, i.number, s.title, public.embedding_cosine(x.embedding, y.embedding::real[]) AS cosine
FROM public.story_index AS i
JOIN public.stories AS s ON s.id = i.story_id
JOIN public.story_signs AS a ON a.story_id = i.story_id
JOIN others AS b ON b.model_version = a.model_version AND b.story_id <> a.story_id AND bit_count(a.signs # b.signs) < 480
JOIN public.story_embeddings AS x ON x.story_id = a.story_id AND x.model_version = a.model_version
JOIN public.story_embeddings AS y ON y.story_id = b.story_id AND y.model_version = b.model_version
WHERE i.story_id = ANY (%(ids)s::uuid[]) OR i.number = ANY (%(numbers)s::bigint[])
