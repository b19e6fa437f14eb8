-- Store by how much teams' interests shift a story's chili score. A team without interests loses its row.
WITH given AS (
  SELECT g.team_id, g.shift, g.parts
  FROM jsonb_to_recordset(%(scores)s) AS g (team_id uuid, shift numeric, parts jsonb)
),
gone AS (
  DELETE FROM public.team_scores AS t
  WHERE t.story_id = %(story_id)s::uuid AND t.team_id NOT IN (SELECT given.team_id FROM given)
)
INSERT INTO public.team_scores AS t (story_id, team_id, shift, parts)
SELECT %(story_id)s::uuid, given.team_id, given.shift, given.parts
FROM given
ORDER BY given.team_id
ON CONFLICT (story_id, team_id) DO UPDATE
SET shift = EXCLUDED.shift, parts = EXCLUDED.parts, updated_at = zeke_jobs.now()
WHERE (t.shift, t.parts) IS DISTINCT FROM (EXCLUDED.shift, EXCLUDED.parts)
