-- Stories that match a search, the best first, with the matching place in the text.
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
  i.language,
  found.rank,
  found.compared,
  ts_headline(
    i.language::regconfig,
    left(coalesce(c.text_body, ''), 30000), -- the text after it is searched, but not shown
    websearch_to_tsquery(i.language::regconfig, public.story_words(%(words)s)),
    'MaxFragments=1, MaxWords=24, MinWords=10, StartSel="", StopSel=""'
  ) AS excerpt
FROM public.story_search(%(words)s, %(sources)s::uuid[], %(since)s::timestamptz, %(ranked)s, %(limit)s) AS found
JOIN public.story_index AS i ON i.story_id = found.story_id
JOIN public.stories AS s ON s.id = found.story_id
JOIN public.contents AS c ON c.id = s.content_id
LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
LEFT JOIN public.story_overlays AS o ON o.story_id = s.id
LEFT JOIN public.team_scores AS everybody ON everybody.story_id = s.id AND everybody.team_id = '00000000-0000-0000-0000-000000000000'
ORDER BY found.rank DESC, i.happened_at DESC, s.id
