-- Store the terms that find a story of an event; an equal row is not written.
WITH wanted AS MATERIALIZED (
  SELECT s.id AS story_id, coalesce(s.published_at, s.created_at) AS happened_at, mine.term
  FROM public.stories AS s
  CROSS JOIN unnest(%(terms)s::bigint[]) AS mine (term)
  WHERE s.id = %(story_id)s::uuid
), dropped AS (
  DELETE FROM public.story_terms AS t
  WHERE t.story_id = %(story_id)s::uuid
    AND NOT EXISTS (SELECT FROM wanted AS w WHERE w.term = t.term AND w.happened_at = t.happened_at)
)
INSERT INTO public.story_terms (term, happened_at, story_id)
SELECT w.term, w.happened_at, w.story_id
FROM wanted AS w
WHERE NOT EXISTS (
  SELECT
  FROM public.story_terms AS t
  WHERE t.story_id = w.story_id AND t.term = w.term AND t.happened_at = w.happened_at
)
