-- Store the analysis, brief and summary of a locked story; rows that do not change are not written. If no state is given, the analysis keeps its
-- state and time. If no saved time is given, the number of seconds that the brief saves a reader does not change.
WITH summarised AS (
  UPDATE public.stories
  SET summary = %(summary)s, updated_at = zeke_jobs.now()
  WHERE id = %(story_id)s::uuid AND summary IS DISTINCT FROM %(summary)s
), made AS (
  SELECT
    o.story_id,
    coalesce(%(analysis_state)s::text, o.analysis_state) AS state,
    CASE WHEN %(analysis_state)s::text IS NULL THEN o.confidence ELSE %(confidence)s::numeric(3, 2) END AS confidence,
    coalesce(%(time_saved_seconds)s::int, o.time_saved_seconds) AS saved
  FROM public.story_overlays AS o
  WHERE o.story_id = %(story_id)s::uuid
)
UPDATE public.story_overlays AS o
SET
  why_it_matters = %(why_it_matters)s,
  confidence = made.confidence,
  citations = o.citations || %(citations)s,
  analysis_state = made.state,
  brief_one_liner = %(one_liner)s,
  brief_two_liner = %(two_liner)s,
  brief_elevator = %(elevator)s,
  time_saved_seconds = made.saved,
  brief_generated_at = CASE WHEN %(time_saved_seconds)s::int IS NULL THEN o.brief_generated_at ELSE zeke_jobs.now() END,
  analyzed_at = CASE WHEN %(analysis_state)s::text IS NULL THEN o.analyzed_at ELSE zeke_jobs.now() END,
  updated_at = zeke_jobs.now()
FROM made
WHERE o.story_id = made.story_id
  AND (
    o.why_it_matters, o.confidence, o.citations, o.analysis_state, o.brief_one_liner, o.brief_two_liner, o.brief_elevator, o.time_saved_seconds)
  IS DISTINCT FROM (
    %(why_it_matters)s, made.confidence, o.citations || %(citations)s, made.state, %(one_liner)s, %(two_liner)s, %(elevator)s, made.saved)
