-- Store a story's embedding; untouched when model and text are the same.
INSERT INTO public.story_embeddings (story_id, model_version, embedding, created_at, updated_at)
SELECT s.id, %(model_version)s, %(vector)s::real[], zeke_jobs.now(), zeke_jobs.now()
FROM public.stories AS s
WHERE s.id = %(story_id)s::uuid
ON CONFLICT (story_id) DO UPDATE
SET model_version = EXCLUDED.model_version, embedding = EXCLUDED.embedding, updated_at = EXCLUDED.updated_at
WHERE story_embeddings.model_version <> EXCLUDED.model_version OR story_embeddings.embedding <> EXCLUDED.embedding
