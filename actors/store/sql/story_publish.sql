-- Store a story's embedding, the signs of the embedding, and the terms by which stories of the same event are found; equal rows are not written.
WITH told AS MATERIALIZED (
  SELECT s.id, coalesce(s.published_at, s.created_at) AS happened_at FROM public.stories AS s WHERE s.id = %(story_id)s::uuid
), wanted AS MATERIALIZED (
  SELECT told.id AS story_id, told.happened_at, mine.term FROM told CROSS JOIN unnest(%(terms)s::bigint[]) AS mine (term)
), dropped AS (
  DELETE FROM public.story_terms AS t
  WHERE t.story_id = %(story_id)s::uuid
    AND NOT EXISTS (SELECT FROM wanted AS w WHERE w.term = t.term AND w.happened_at = t.happened_at)
), found_by AS (
  INSERT INTO public.story_terms (term, happened_at, story_id)
  SELECT w.term, w.happened_at, w.story_id
  FROM wanted AS w
  WHERE NOT EXISTS (
    SELECT
    FROM public.story_terms AS t
    WHERE t.story_id = w.story_id AND t.term = w.term AND t.happened_at = w.happened_at
  )
), signed AS (
  INSERT INTO public.story_signs AS g (story_id, happened_at, model_version, signs)
  SELECT told.id, told.happened_at, %(model_version)s, %(signs)s::bit(1024)
  FROM told
  ON CONFLICT (story_id) DO UPDATE
  SET happened_at = EXCLUDED.happened_at, model_version = EXCLUDED.model_version, signs = EXCLUDED.signs
  WHERE (g.happened_at, g.model_version, g.signs) IS DISTINCT FROM (EXCLUDED.happened_at, EXCLUDED.model_version, EXCLUDED.signs)
)
INSERT INTO public.story_embeddings (story_id, model_version, embedding, created_at, updated_at)
SELECT told.id, %(model_version)s, %(vector)s::real[], zeke_jobs.now(), zeke_jobs.now()
FROM told
ON CONFLICT (story_id) DO UPDATE
SET model_version = EXCLUDED.model_version, embedding = EXCLUDED.embedding, updated_at = EXCLUDED.updated_at
WHERE story_embeddings.model_version <> EXCLUDED.model_version OR story_embeddings.embedding <> EXCLUDED.embedding
