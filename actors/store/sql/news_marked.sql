-- The stories that a team has marked: with the state "state" if that is not NULL, and with a star if "starred" is true.
SELECT t.story_id
FROM public.team_story_states AS t
WHERE t.team_id = %(team)s::uuid
  AND (%(state)s::text IS NULL OR t.state = %(state)s)
  AND (%(starred)s IS NOT TRUE OR t.pinned)
