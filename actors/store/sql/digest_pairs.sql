-- The cosines of the stories of a digest, by vectors of the same model. A pair of stories whose vectors' signs differ too much is left out.
SELECT a.story_id AS one, b.story_id AS other, a.model_version, public.embedding_cosine(x.embedding, y.embedding::real[]) AS cosine
FROM public.story_signs AS a
JOIN public.story_signs AS b ON b.model_version = a.model_version AND b.story_id > a.story_id AND bit_count(a.signs # b.signs) < 500
JOIN public.story_embeddings AS x ON x.story_id = a.story_id AND x.model_version = a.model_version
JOIN public.story_embeddings AS y ON y.story_id = b.story_id AND y.model_version = b.model_version
WHERE a.story_id = ANY (%(stories)s::uuid[]) AND b.story_id = ANY (%(stories)s::uuid[])
