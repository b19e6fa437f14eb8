-- A story as the AI step and the insights read it; age and cluster size are of this moment.
SELECT
  s.id,
  coalesce(s.title, '') AS title,
  s.summary,
  s.kind,
  s.cluster_id,
  s.published_at,
  coalesce(nullif(d.markdown, ''), c.text_body, '') AS document,
  coalesce(c.text_body, '') AS text_body,
  c.language_code,
  c.content_hash,
  c.duration_seconds,
  coalesce(src.name, src.url, '') AS source_name,
  src.authority_score,
  greatest(0, floor(extract(epoch FROM zeke_jobs.now() - coalesce(s.published_at, s.created_at)) / 86400))::int AS age_days,
  (
    SELECT count(DISTINCT told.source_id)
    FROM (
      SELECT m.primary_source_id AS source_id
      FROM public.stories AS m
      WHERE m.id = s.id OR m.cluster_id = s.cluster_id
      UNION ALL
      SELECT r.source_id
      FROM public.stories AS m
      JOIN public.item_outcomes AS o ON o.story_id = m.id
      JOIN public.raw_items AS r ON r.id = o.raw_item_id
      WHERE m.id = s.id OR m.cluster_id = s.cluster_id
    ) AS told
  ) AS cluster_sources
FROM public.stories AS s
JOIN public.contents AS c ON c.id = s.content_id
LEFT JOIN public.content_details AS d ON d.content_id = c.id
LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
WHERE s.id = %(story_id)s::uuid
