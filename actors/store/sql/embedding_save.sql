-- Store a story's embedding (a literal of the column's own type); untouched when model and text are the same.
INSERT INTO public.story_embeddings (story_id, model_version, embedding, created_at, updated_at)
VALUES (%(story_id)s::uuid, %(model_version)s, %(embedding)s, zeke_jobs.now(), zeke_jobs.now())
ON CONFLICT (story_id) DO UPDATE
SET model_version = EXCLUDED.model_version, embedding = EXCLUDED.embedding, updated_at = EXCLUDED.updated_at
WHERE story_embeddings.model_version <> EXCLUDED.model_version OR story_embeddings.embedding <> EXCLUDED.embedding
