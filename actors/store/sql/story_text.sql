-- A story for the AI step and the insights; its age is as of now.
SELECT
  s.id,
  coalesce(s.title, '') AS title,
  s.summary,
  s.kind,
  s.published_at,
  coalesce(s.published_at, s.created_at) AS happened_at,
  coalesce(nullif(d.markdown, ''), c.text_body, '') AS document,
  coalesce(d.description, '') AS description,
  c.language_code AS language,
  c.content_hash AS text_hash,
  c.duration_seconds,
  coalesce(src.name, src.url, '') AS source,
  src.authority_score::float8 AS authority,
  greatest(0, floor(extract(epoch FROM zeke_jobs.now() - coalesce(s.published_at, s.created_at)) / 86400))::int AS age_days
FROM public.stories AS s
JOIN public.contents AS c ON c.id = s.content_id
LEFT JOIN public.content_details AS d ON d.content_id = c.id
LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
WHERE s.id = %(story_id)s::uuid
