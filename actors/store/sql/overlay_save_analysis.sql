-- Store an analysis; no row is touched when nothing in it is new.
UPDATE public.story_overlays
SET
  why_it_matters = %(why_it_matters)s,
  confidence = %(confidence)s,
  citations = citations || %(citations)s,
  analysis_state = %(analysis_state)s,
  analyzed_at = zeke_jobs.now(),
  updated_at = zeke_jobs.now()
WHERE story_id = %(story_id)s::uuid
  AND (why_it_matters, confidence, citations, analysis_state)
    IS DISTINCT FROM (%(why_it_matters)s, %(confidence)s::numeric(3, 2), citations || %(citations)s, %(analysis_state)s)
