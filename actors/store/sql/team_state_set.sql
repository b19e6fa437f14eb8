-- Set one team's state of a story.
INSERT INTO public.team_story_states AS t (team_id, story_id, state, created_at, updated_at)
VALUES (%(team_id)s::uuid, %(story_id)s::uuid, %(state)s, zeke_jobs.now(), zeke_jobs.now())
ON CONFLICT (team_id, story_id) DO UPDATE
SET state = EXCLUDED.state, updated_at = EXCLUDED.updated_at
WHERE t.state <> EXCLUDED.state
RETURNING t.team_id
