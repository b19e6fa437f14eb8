-- Stories for people, newest first, with what the pipeline says of each.
SELECT
  s.id,
  s.title,
  s.kind,
  s.primary_url AS url,
  s.published_at,
  s.created_at,
  s.cluster_id,
  src.id AS source_id,
  src.name AS source,
  (o.citations ->> 'chili')::numeric AS chili,
  coalesce(o.analysis_state, 'pending') AS analysis_state,
  o.brief_one_liner AS one_liner,
  (SELECT count(*) FROM public.highlights AS h WHERE h.story_id = s.id AND NOT h.metadata ? 'withdrawn') AS highlights
FROM public.stories AS s
LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
LEFT JOIN public.story_overlays AS o ON o.story_id = s.id
LEFT JOIN public.story_clusters AS c ON c.id = s.cluster_id
WHERE (%(source)s::text IS NULL OR src.name ILIKE '%%' || %(source)s || '%%' OR src.url ILIKE '%%' || %(source)s || '%%')
  AND (%(search)s::text IS NULL OR s.title ILIKE '%%' || %(search)s || '%%' OR s.summary ILIKE '%%' || %(search)s || '%%')
  AND (%(since)s::timestamptz IS NULL OR coalesce(s.published_at, s.created_at) >= %(since)s)
  AND (%(min_chili)s::numeric IS NULL OR (o.citations ->> 'chili')::numeric >= %(min_chili)s)
  AND (%(state)s::text IS NULL OR coalesce(o.analysis_state, 'pending') = %(state)s)
  AND (%(leads)s IS NOT TRUE OR s.cluster_id IS NULL OR c.primary_story_id = s.id)
  AND (
    %(team)s::uuid IS NULL
    OR coalesce(
      (SELECT t.state FROM public.team_story_states AS t WHERE t.story_id = s.id AND t.team_id = %(team)s::uuid),
      'unread') = %(team_state)s)
ORDER BY coalesce(s.published_at, s.created_at) DESC, s.id
LIMIT %(limit)s
