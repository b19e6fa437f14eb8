-- Store a story's summary, unless somebody changed it since it was read, and note that the pipeline wrote it; the story is locked before its
-- overlay. One row for each of the two that changed.
WITH seen AS (
  SELECT s.id, s.summary
  FROM public.stories AS s
  JOIN public.story_overlays AS o ON o.story_id = s.id
  WHERE s.id = %(story_id)s::uuid
    AND ARRAY[s.summary] = %(seen)s::text[]
    AND o.citations -> 'summary' IS NOT DISTINCT FROM %(seen_note)s::jsonb
), saved AS (
  UPDATE public.stories AS s
  SET summary = %(summary)s, updated_at = zeke_jobs.now()
  FROM seen
  WHERE s.id = seen.id AND seen.summary IS DISTINCT FROM %(summary)s AND s.summary IS NOT DISTINCT FROM seen.summary
  RETURNING s.id
), noted AS (
  UPDATE public.story_overlays AS o
  SET citations = o.citations || %(citations)s, updated_at = zeke_jobs.now()
  WHERE o.story_id IN (SELECT saved.id FROM saved UNION ALL SELECT seen.id FROM seen WHERE seen.summary = %(summary)s)
    AND o.citations IS DISTINCT FROM o.citations || %(citations)s
    AND o.citations -> 'summary' IS NOT DISTINCT FROM %(seen_note)s::jsonb
  RETURNING o.story_id
)
SELECT saved.id FROM saved UNION ALL SELECT noted.story_id FROM noted
