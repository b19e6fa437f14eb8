-- The stories that a team has marked: only those with the state "state", if it is not NULL, and only starred stories, if that is asked.
SELECT t.story_id
FROM public.team_story_states AS t
WHERE t.team_id = %(team)s::uuid
  AND (%(state)s::text IS NULL OR t.state = %(state)s)
  AND (%(starred)s IS NOT TRUE OR t.pinned)
