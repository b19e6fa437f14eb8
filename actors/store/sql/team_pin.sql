-- Set or remove a team's star on a story; the story's state does not change. If the team has no row for the story, there is nothing to remove.
INSERT INTO public.team_story_states AS t (team_id, story_id, pinned, created_at, updated_at)
SELECT %(team_id)s::uuid, %(story_id)s::uuid, %(pinned)s, zeke_jobs.now(), zeke_jobs.now()
WHERE %(pinned)s
  OR EXISTS (
    SELECT FROM public.team_story_states AS o WHERE o.team_id = %(team_id)s::uuid AND o.story_id = %(story_id)s::uuid)
ON CONFLICT (team_id, story_id) DO UPDATE
SET pinned = EXCLUDED.pinned, updated_at = EXCLUDED.updated_at
WHERE t.pinned <> EXCLUDED.pinned
RETURNING t.team_id
