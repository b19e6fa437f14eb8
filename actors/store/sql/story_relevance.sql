-- The data by which a story's highlights are scored: the authority of the story's source, the story's age, and its scores by teams' interests.
SELECT
  src.authority_score::float8 AS authority,
  greatest(0, floor(extract(epoch FROM zeke_jobs.now() - coalesce(s.published_at, s.created_at)) / 86400))::int AS age_days,
  (
    SELECT jsonb_agg(jsonb_build_object('team_id', t.team_id, 'parts', t.parts) ORDER BY t.team_id)
    FROM public.team_scores AS t
    WHERE t.story_id = s.id
  ) AS teams
FROM public.stories AS s
LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
WHERE s.id = %(story_id)s::uuid
