-- The similarity of stories to a vector of the same model, and their facts.
SELECT
  c.story_id,
  c.cosine,
  (SELECT g.facts FROM public.story_signs AS g WHERE g.story_id = c.story_id) AS facts
FROM public.story_cosines(%(stories)s::uuid[], %(model_version)s, %(vector)s::real[]) AS c
