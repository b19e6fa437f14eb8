-- By how much each team's interests shift a story's chili score.
SELECT t.team_id, t.shift, t.parts
FROM public.team_scores AS t
WHERE t.story_id = %(story_id)s::uuid
ORDER BY t.team_id
