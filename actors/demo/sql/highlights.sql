-- All highlights with their relevance, best first.
SELECT
    h.story_id,
    h.kind,
    h.title,
    h.summary,
    h.quote,
    (h.metadata -> 'relevance' ->> 'score')::numeric AS score,
    h.metadata,
    s.title AS story
FROM public.highlights AS h
JOIN public.stories AS s ON s.id = h.story_id
ORDER BY score DESC NULLS LAST, h.kind, s.title, h.created_at, h.id
