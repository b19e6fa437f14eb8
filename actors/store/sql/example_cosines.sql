-- The cosine of a story to each example story with a vector of the same model. Examples are given by id or number.
SELECT x.story_id, i.number, s.title, public.embedding_cosine(x.embedding, mine.embedding::real[]) AS cosine
FROM public.story_embeddings AS mine
JOIN public.story_embeddings AS x ON x.model_version = mine.model_version AND x.story_id <> mine.story_id
JOIN public.story_index AS i ON i.story_id = x.story_id
JOIN public.stories AS s ON s.id = x.story_id
WHERE mine.story_id = %(story_id)s::uuid
  AND (x.story_id = ANY (%(ids)s::uuid[]) OR x.story_id IN (
    SELECT n.story_id FROM public.story_index AS n WHERE n.number = ANY (%(numbers)s::bigint[])))
