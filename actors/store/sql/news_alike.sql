-- Stories similar to a vector, the most similar first; one row without a story if no story is similar.
SELECT found.story_id AS id, round(found.cosine::numeric, 4) AS cosine, %(model)s AS model, found.is_mixed
FROM public.story_alike(
  %(model)s, %(vector)s::real[], %(signs)s::bit(1024), %(words)s, %(sources)s::uuid[], %(since)s::timestamptz, %(other_than)s::uuid,
  %(limit)s) AS found
ORDER BY found.cosine DESC, found.story_id
