-- Set the leading story of a cluster and count its sources. The story that was published first leads; of several, the story whose source has the
-- highest authority.
WITH members AS (
  SELECT s.id, s.title, s.primary_source_id, s.published_at, s.created_at, src.authority_score
  FROM public.stories AS s
  LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
  WHERE s.cluster_id = %(cluster_id)s::uuid
), leader AS (
  SELECT m.id, m.title
  FROM members AS m
  ORDER BY coalesce(m.published_at, m.created_at), m.authority_score DESC NULLS LAST, m.id
  LIMIT 1
), told AS (
  SELECT m.primary_source_id AS source_id
  FROM members AS m
  WHERE m.primary_source_id IS NOT NULL
  UNION
  SELECT r.source_id
  FROM members AS m
  JOIN public.item_outcomes AS o ON o.story_id = m.id
  JOIN public.raw_items AS r ON r.id = o.raw_item_id
), counted AS (
  SELECT
    jsonb_build_object('stories', (SELECT count(*) FROM members), 'sources', (SELECT count(*) FROM told)) AS metrics
)
UPDATE public.story_clusters AS c
SET
  primary_story_id = l.id,
  label = l.title,
  metrics = c.metrics || n.metrics,
  updated_at = zeke_jobs.now()
FROM leader AS l, counted AS n
WHERE c.id = %(cluster_id)s::uuid
  AND (c.primary_story_id, c.label, c.metrics) IS DISTINCT FROM (l.id, l.title, c.metrics || n.metrics)
