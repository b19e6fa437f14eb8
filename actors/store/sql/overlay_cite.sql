-- Add notes to an overlay's citations.
UPDATE public.story_overlays
SET citations = citations || %(citations)s, updated_at = zeke_jobs.now()
WHERE story_id = %(story_id)s::uuid AND citations IS DISTINCT FROM citations || %(citations)s
