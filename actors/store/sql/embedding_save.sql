-- Store a story's embedding and its signs; untouched when model and text are the same.
WITH signed AS (
  INSERT INTO public.story_signs AS g (story_id, happened_at, model_version, signs)
  SELECT s.id, coalesce(s.published_at, s.created_at), %(model_version)s, %(signs)s::bit(1024)
  FROM public.stories AS s
  WHERE s.id = %(story_id)s::uuid
  ON CONFLICT (story_id) DO UPDATE
  SET happened_at = EXCLUDED.happened_at, model_version = EXCLUDED.model_version, signs = EXCLUDED.signs
  WHERE (g.happened_at, g.model_version, g.signs) IS DISTINCT FROM (EXCLUDED.happened_at, EXCLUDED.model_version, EXCLUDED.signs)
)
INSERT INTO public.story_embeddings (story_id, model_version, embedding, created_at, updated_at)
SELECT s.id, %(model_version)s, %(vector)s::real[], zeke_jobs.now(), zeke_jobs.now()
FROM public.stories AS s
WHERE s.id = %(story_id)s::uuid
ON CONFLICT (story_id) DO UPDATE
SET model_version = EXCLUDED.model_version, embedding = EXCLUDED.embedding, updated_at = EXCLUDED.updated_at
WHERE story_embeddings.model_version <> EXCLUDED.model_version OR story_embeddings.embedding <> EXCLUDED.embedding
