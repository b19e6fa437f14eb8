-- How far a story's source is trusted, and how old it is, without its text.
SELECT
  src.authority_score::float8 AS authority,
  greatest(0, floor(extract(epoch FROM zeke_jobs.now() - coalesce(s.published_at, s.created_at)) / 86400))::int AS age_days
FROM public.stories AS s
LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
WHERE s.id = %(story_id)s::uuid
