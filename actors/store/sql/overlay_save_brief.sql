-- Store a brief, unless somebody changed it since it was read; no row is touched when nothing in it is new.
UPDATE public.story_overlays
SET
  brief_one_liner = %(one_liner)s,
  brief_two_liner = %(two_liner)s,
  brief_elevator = %(elevator)s,
  time_saved_seconds = %(time_saved_seconds)s,
  citations = citations || %(citations)s,
  brief_generated_at = zeke_jobs.now(),
  updated_at = zeke_jobs.now()
WHERE story_id = %(story_id)s::uuid
  AND ARRAY[brief_one_liner, brief_two_liner, brief_elevator] = %(seen)s::text[]
  AND citations -> 'brief' IS NOT DISTINCT FROM %(seen_note)s::jsonb
  AND (brief_one_liner, brief_two_liner, brief_elevator, time_saved_seconds, citations)
    IS DISTINCT FROM
    (%(one_liner)s, %(two_liner)s, %(elevator)s, %(time_saved_seconds)s::int, citations || %(citations)s)
