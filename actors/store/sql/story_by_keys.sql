-- The oldest story that has one of a text's certain keys. If no story has one, all stories that have one of the text's claimed keys, the oldest
-- first, with their texts, which the caller compares.
WITH found AS (
  SELECT k.story_id, min(k.created_at) AS created_at, bool_or(k.key = ANY (%(certain)s::text[])) AS is_certain
  FROM public.story_keys AS k
  WHERE k.key = ANY (%(certain)s::text[] || %(claims)s::text[])
  GROUP BY k.story_id
)
(SELECT f.story_id, NULL AS text FROM found AS f WHERE f.is_certain ORDER BY f.created_at, f.story_id LIMIT 1)
UNION ALL
(
  SELECT f.story_id, coalesce(c.text_body, '')
  FROM found AS f
  JOIN public.stories AS s ON s.id = f.story_id
  JOIN public.contents AS c ON c.id = s.content_id
  WHERE NOT EXISTS (SELECT FROM found AS o WHERE o.is_certain)
  ORDER BY f.created_at, f.story_id
)
