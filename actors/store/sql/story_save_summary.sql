-- Store a story's summary, unless it is there already or somebody changed it since it was read.
UPDATE public.stories
SET summary = %(summary)s, updated_at = zeke_jobs.now()
WHERE id = %(story_id)s::uuid
  AND summary IS DISTINCT FROM %(summary)s
  AND summary IS NOT DISTINCT FROM %(seen)s
