-- Move a story's state forward (from unread to read to archived, never back) for every team that follows one of the story's sources.
INSERT INTO public.team_story_states AS t (team_id, story_id, state, created_at, updated_at)
SELECT f.team_id, %(story_id)s::uuid, %(state)s, zeke_jobs.now(), zeke_jobs.now()
FROM unnest(%(teams)s::uuid[]) AS f (team_id)
ORDER BY f.team_id
ON CONFLICT (team_id, story_id) DO UPDATE
SET state = EXCLUDED.state, updated_at = EXCLUDED.updated_at
WHERE CASE t.state WHEN 'unread' THEN 0 WHEN 'read' THEN 1 ELSE 2 END
  < CASE EXCLUDED.state WHEN 'unread' THEN 0 WHEN 'read' THEN 1 ELSE 2 END
RETURNING t.team_id
