-- All highlights of a story, oldest first.
SELECT
  h.id,
  h.story_id,
  h.team_id,
  h.created_by,
  h.kind,
  h.origin,
  h.title,
  h.summary,
  h.quote,
  h.confidence,
  h.is_generated,
  h.metadata
FROM public.highlights AS h
WHERE h.story_id = %(story_id)s::uuid
ORDER BY h.created_at, h.id
