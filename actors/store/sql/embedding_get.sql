-- A story's embedding.
SELECT e.model_version, e.embedding::real[] AS vector FROM public.story_embeddings AS e WHERE e.story_id = %(story_id)s::uuid
