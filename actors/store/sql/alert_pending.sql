-- The stories that were not sent to a receiver yet, in the form of a digest's entries, in the order in which they were found. If a message was begun,
-- only the stories of that message.
SELECT
  s.id AS story_id, a.name AS alert, s.title, s.primary_url AS url, src.name AS source,
  coalesce(o.brief_one_liner, o.brief_two_liner, o.brief_elevator) AS one_liner,
  o.why_it_matters AS why,
  coalesce(f.chili, 0)::float8 AS chili,
  public.story_event_sources(s.id)::int AS sources
FROM public.alert_stories AS t
JOIN public.alerts AS a ON a.id = t.alert_id
JOIN public.stories AS s ON s.id = t.story_id
LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
LEFT JOIN public.story_overlays AS o ON o.story_id = s.id
LEFT JOIN LATERAL (SELECT j.chili FROM public.alert_fits(s.id) AS j WHERE j.alert_id = a.id) AS f ON true
WHERE t.receiver = %(receiver)s AND t.sent_at IS NULL
  AND t.is_offered = EXISTS (
    SELECT FROM public.alert_stories AS o WHERE o.receiver = %(receiver)s AND o.sent_at IS NULL AND o.is_offered)
ORDER BY t.created_at, s.id
LIMIT %(most)s
