-- Store a story's summary, unless it is there already or somebody changed it since it was read, and note that the pipeline wrote it.
WITH saved AS (
  UPDATE public.stories
  SET summary = %(summary)s, updated_at = zeke_jobs.now()
  WHERE id = %(story_id)s::uuid
    AND summary IS DISTINCT FROM %(summary)s
    AND summary IS NOT DISTINCT FROM %(seen)s
  RETURNING id
), noted AS (
  UPDATE public.story_overlays
  SET citations = citations || %(citations)s, updated_at = zeke_jobs.now()
  WHERE story_id = %(story_id)s::uuid AND citations IS DISTINCT FROM citations || %(citations)s
  RETURNING story_id
)
SELECT EXISTS (SELECT FROM saved) OR EXISTS (SELECT FROM noted) AS changed
