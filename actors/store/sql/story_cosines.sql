-- The similarity of stories to a vector of the same model.
SELECT c.story_id, c.cosine
FROM public.story_cosines(%(stories)s::uuid[], %(model_version)s, %(vector)s::real[]) AS c
