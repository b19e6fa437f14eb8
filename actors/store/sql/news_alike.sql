-- Stories near to a vector, the nearest first; a row without a story, where none is near.
SELECT
  i.number,
  s.id,
  s.title,
  s.primary_url AS url,
  s.published_at,
  s.created_at,
  src.name AS source,
  CASE WHEN o.citations ->> 'chili' IS NOT NULL THEN
    least(5, greatest(0, (o.citations ->> 'chili')::numeric + coalesce(everybody.shift, 0)))
  END AS chili,
  coalesce(o.brief_one_liner, o.brief_two_liner, o.brief_elevator) AS one_liner,
  round(found.cosine::numeric, 4) AS cosine,
  %(model)s AS model,
  found.is_mixed
FROM public.story_alike(
  %(model)s, %(vector)s::real[], %(signs)s::bit(1024), %(words)s, %(sources)s::uuid[], %(since)s::timestamptz, %(other_than)s::uuid,
  %(limit)s) AS found
LEFT JOIN public.story_index AS i ON i.story_id = found.story_id
LEFT JOIN public.stories AS s ON s.id = found.story_id
LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
LEFT JOIN public.story_overlays AS o ON o.story_id = s.id
LEFT JOIN public.team_scores AS everybody ON everybody.story_id = s.id AND everybody.team_id = '00000000-0000-0000-0000-000000000000'
ORDER BY found.cosine DESC, s.id
