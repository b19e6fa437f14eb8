-- The events of a period: the highest chili first, then the most sources, then the most relevant highlight.
SELECT
  s.id AS story_id,
  s.title,
  s.primary_url AS url,
  src.name AS source,
  coalesce(o.brief_one_liner, o.brief_two_liner, o.brief_elevator) AS one_liner,
  o.why_it_matters AS why,
  ARRAY(
    SELECT h.summary
    FROM public.highlights AS h
    WHERE h.story_id = s.id AND h.team_id IS NULL AND h.origin = 'system' AND NOT h.metadata ? 'withdrawn'
      AND h.kind IN ('insight', 'metric', 'api_change', 'action')
    ORDER BY (h.metadata #>> '{relevance,score}')::numeric DESC NULLS LAST, h.id
    LIMIT 3
  ) AS highlights,
  ARRAY(
    SELECT teller.name
    FROM (
      SELECT coalesce(t.name, t.url) AS name, min(r.created_at) AS since
      FROM public.stories AS m
      JOIN public.item_outcomes AS told ON told.story_id = m.id
      JOIN public.raw_items AS r ON r.id = told.raw_item_id
      JOIN public.sources AS t ON t.id = r.source_id
      WHERE m.id = s.id OR m.cluster_id = s.cluster_id
      GROUP BY 1
    ) AS teller
    ORDER BY teller.name <> coalesce(src.name, src.url, ''), teller.since, teller.name
    LIMIT 20
  ) AS told_by,
  coalesce(least(5, greatest(0, (o.citations ->> 'chili')::numeric + coalesce(own.shift, everybody.shift, 0))), 0) AS chili,
  greatest(1, coalesce(
    (c.metrics ->> 'sources')::int,
    (SELECT count(DISTINCT r.source_id)::int
     FROM public.item_outcomes AS told
     JOIN public.raw_items AS r ON r.id = told.raw_item_id
     WHERE told.story_id = s.id)
  )) AS sources,
  coalesce(
    (SELECT max((h.metadata #>> '{relevance,score}')::numeric)
     FROM public.highlights AS h
     WHERE h.story_id = s.id AND NOT h.metadata ? 'withdrawn'),
    0) AS relevance
FROM public.story_index AS i
JOIN public.stories AS s ON s.id = i.story_id
JOIN public.story_overlays AS o ON o.story_id = s.id
LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
LEFT JOIN public.story_clusters AS c ON c.id = s.cluster_id
LEFT JOIN public.team_scores AS own ON own.story_id = s.id AND own.team_id = %(team_id)s::uuid
LEFT JOIN public.team_scores AS everybody ON everybody.story_id = s.id AND everybody.team_id = '00000000-0000-0000-0000-000000000000'
WHERE i.happened_at >= %(since)s::date::timestamp AT TIME ZONE 'UTC'
  AND i.happened_at < (%(until)s::date + 1)::timestamp AT TIME ZONE 'UTC'
  AND (s.cluster_id IS NULL OR c.primary_story_id = s.id)
  AND (o.brief_generated_at IS NOT NULL OR o.brief_one_liner IS NOT NULL)
  AND NOT EXISTS (
    SELECT FROM public.contents AS t
    JOIN public.item_outcomes AS end_of ON end_of.raw_item_id = t.raw_item_id
    WHERE t.id = s.content_id AND end_of.outcome = 'retracted')
  AND (
    %(team_id)s::uuid IS NULL
    OR src.metadata -> 'teams' ? %(team_id)s::text
    OR EXISTS (
      SELECT FROM public.team_story_states AS t
      JOIN public.stories AS m ON m.id = t.story_id
      WHERE t.team_id = %(team_id)s::uuid AND m.primary_source_id = s.primary_source_id))
  AND NOT EXISTS (
    SELECT FROM public.team_story_states AS t
    WHERE t.team_id = %(team_id)s::uuid AND t.story_id = s.id AND t.state = 'archived')
ORDER BY chili DESC, sources DESC, relevance DESC, s.published_at DESC NULLS LAST, s.id
LIMIT %(limit)s
