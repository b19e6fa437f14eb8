-- Stories that match a search, the best first, with the matching passage of the text.
SELECT
  found.story_id AS id,
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
ORDER BY found.rank DESC, i.happened_at DESC, s.id
