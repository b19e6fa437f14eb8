-- The data from which a story's highlights are scored: the authority of its source, its age, and the scores by teams' interests. One row for each
-- highlight of the pipeline that is not withdrawn; one row with NULLs if there is none.
SELECT
  src.authority_score::float8 AS authority,
  greatest(0, floor(extract(epoch FROM zeke_jobs.now() - coalesce(s.published_at, s.created_at)) / 86400))::int AS age_days,
  (
    SELECT jsonb_agg(jsonb_build_object('team_id', t.team_id, 'parts', t.parts) ORDER BY t.team_id)
    FROM public.team_scores AS t
    WHERE t.story_id = s.id
  ) AS teams,
  h.id, h.kind, h.title, h.summary, h.quote
FROM public.stories AS s
LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
LEFT JOIN public.highlights AS h
  ON h.story_id = s.id AND h.origin = 'system' AND coalesce(h.metadata -> 'withdrawn', 'false') = 'false'
WHERE s.id = %(story_id)s::uuid
ORDER BY h.created_at, h.id
