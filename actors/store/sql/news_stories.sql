-- Stories for people, the newest first, with their analysis. If few stories pass a filter, the caller gives their ids, so that the query is fast.
SELECT
  i.number,
  s.id,
  s.title,
  s.kind,
  s.primary_url AS url,
  s.published_at,
  s.created_at,
  s.cluster_id,
  src.id AS source_id,
  src.name AS source,
  CASE WHEN o.citations ->> 'chili' IS NOT NULL THEN
    least(5, greatest(0, (o.citations ->> 'chili')::numeric + coalesce(own.shift, everybody.shift, 0)))
  END AS chili,
  coalesce(o.analysis_state, 'pending') AS analysis_state,
  o.why_it_matters,
  coalesce(o.brief_one_liner, o.brief_two_liner, o.brief_elevator) AS one_liner,
  coalesce(t.state, 'unread') AS state,
  coalesce(t.pinned, false) AS is_starred,
  (SELECT count(*) FROM public.highlights AS h WHERE h.story_id = s.id AND NOT h.metadata ? 'withdrawn') AS highlights
FROM public.story_index AS i
JOIN public.stories AS s ON s.id = i.story_id
LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
LEFT JOIN public.story_overlays AS o ON o.story_id = i.story_id
LEFT JOIN public.story_clusters AS c ON c.id = s.cluster_id
LEFT JOIN public.team_story_states AS t ON t.story_id = i.story_id AND t.team_id = %(team)s::uuid
LEFT JOIN public.team_scores AS own ON own.story_id = s.id AND own.team_id = %(team)s::uuid
LEFT JOIN public.team_scores AS everybody ON everybody.story_id = s.id AND everybody.team_id = '00000000-0000-0000-0000-000000000000'
WHERE (%(sources)s::uuid[] IS NULL OR i.source_id = ANY (%(sources)s::uuid[]))
  AND (%(since)s::timestamptz IS NULL OR i.happened_at >= %(since)s)
  AND (%(ids)s::uuid[] IS NULL OR i.story_id = ANY (%(ids)s::uuid[]))
  AND (%(min_chili)s::numeric IS NULL
    OR o.citations ->> 'chili' IS NOT NULL
    AND least(5, greatest(0, (o.citations ->> 'chili')::numeric + coalesce(own.shift, everybody.shift, 0))) >= %(min_chili)s)
  AND (%(analysis_state)s::text IS NULL OR coalesce(o.analysis_state, 'pending') = %(analysis_state)s)
  AND (%(leads)s IS NOT TRUE OR s.cluster_id IS NULL OR c.primary_story_id = s.id)
  AND NOT EXISTS (
    SELECT FROM public.team_story_states AS left_out
    WHERE left_out.team_id = %(team)s::uuid AND left_out.story_id = i.story_id AND left_out.state = ANY (%(left_out)s))
ORDER BY i.happened_at DESC, i.story_id
LIMIT %(limit)s
