-- One story in full.
SELECT
  s.id,
  s.title,
  s.kind,
  s.summary,
  s.primary_url AS url,
  s.published_at,
  s.created_at,
  s.cluster_id,
  k.label AS cluster,
  k.metrics AS cluster_metrics,
  k.primary_story_id,
  src.id AS source_id,
  src.name AS source,
  src.url AS source_url,
  src.authority_score AS authority,
  c.language_code AS language,
  c.content_type,
  c.extracted_at,
  length(c.text_body) AS characters,
  d.text_origin,
  d.text_choice,
  d.author,
  d.revision,
  o.why_it_matters,
  o.confidence,
  o.citations,
  coalesce(o.analysis_state, 'pending') AS analysis_state,
  o.analyzed_at,
  o.brief_one_liner AS one_liner,
  o.brief_two_liner AS two_liner,
  o.brief_elevator AS elevator,
  o.time_saved_seconds,
  o.brief_generated_at,
  e.model_version AS embedding
FROM public.stories AS s
JOIN public.contents AS c ON c.id = s.content_id
LEFT JOIN public.content_details AS d ON d.content_id = c.id
LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
LEFT JOIN public.story_overlays AS o ON o.story_id = s.id
LEFT JOIN public.story_clusters AS k ON k.id = s.cluster_id
LEFT JOIN public.story_embeddings AS e ON e.story_id = s.id
WHERE s.id = %(story_id)s::uuid
