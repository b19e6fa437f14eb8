-- Teams that follow a story's source: named in the source's metadata (teams), or with a state on any of its stories.
WITH told AS (
  SELECT s.primary_source_id AS source_id
  FROM public.stories AS s
  WHERE s.id = %(story_id)s::uuid AND s.primary_source_id IS NOT NULL
  UNION
  SELECT r.source_id
  FROM public.item_outcomes AS o
  JOIN public.raw_items AS r ON r.id = o.raw_item_id
  WHERE o.story_id = %(story_id)s::uuid
)
SELECT named.team::uuid AS team_id
FROM told
JOIN public.sources AS src ON src.id = told.source_id
CROSS JOIN LATERAL jsonb_array_elements_text(
  CASE jsonb_typeof(src.metadata -> 'teams') WHEN 'array' THEN src.metadata -> 'teams' ELSE '[]' END) AS named (team)
WHERE named.team ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
UNION
SELECT t.team_id
FROM told
JOIN public.stories AS s ON s.primary_source_id = told.source_id
JOIN public.team_story_states AS t ON t.story_id = s.id
