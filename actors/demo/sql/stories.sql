-- All stories with their analyses, hottest first.
SELECT
    s.id,
    s.title,
    s.primary_url AS url,
    s.published_at,
    s.cluster_id,
    c.primary_story_id AS leader_id,
    src.name AS source,
    (o.citations ->> 'chili')::integer AS chili,
    o.analysis_state,
    o.why_it_matters,
    o.brief_one_liner,
    o.brief_two_liner,
    o.brief_elevator,
    o.time_saved_seconds,
    (SELECT count(*) FROM public.highlights AS h WHERE h.story_id = s.id) AS highlights
FROM public.stories AS s
LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
LEFT JOIN public.story_overlays AS o ON o.story_id = s.id
LEFT JOIN public.story_clusters AS c ON c.id = s.cluster_id
ORDER BY chili DESC NULLS LAST, s.published_at DESC, s.title
