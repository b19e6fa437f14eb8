-- Store an analysis, and the brief and summary that came with it; no row is touched when nothing in it is new. The story is locked.
WITH summarised AS (
  UPDATE public.stories
  SET summary = %(summary)s, updated_at = zeke_jobs.now()
  WHERE id = %(story_id)s::uuid AND summary IS DISTINCT FROM %(summary)s
)
UPDATE public.story_overlays
SET
  why_it_matters = %(why_it_matters)s,
  confidence = %(confidence)s,
  citations = citations || %(citations)s,
  analysis_state = %(analysis_state)s,
  brief_one_liner = %(one_liner)s,
  brief_two_liner = %(two_liner)s,
  brief_elevator = %(elevator)s,
  time_saved_seconds = coalesce(%(time_saved_seconds)s::int, time_saved_seconds),
  brief_generated_at = CASE WHEN %(time_saved_seconds)s::int IS NULL THEN brief_generated_at ELSE zeke_jobs.now() END,
  analyzed_at = zeke_jobs.now(),
  updated_at = zeke_jobs.now()
WHERE story_id = %(story_id)s::uuid
  AND (
    why_it_matters, confidence, citations, analysis_state, brief_one_liner, brief_two_liner, brief_elevator, time_saved_seconds)
  IS DISTINCT FROM (
    %(why_it_matters)s, %(confidence)s::numeric(3, 2), citations || %(citations)s, %(analysis_state)s, %(one_liner)s, %(two_liner)s,
    %(elevator)s, coalesce(%(time_saved_seconds)s::int, time_saved_seconds))
